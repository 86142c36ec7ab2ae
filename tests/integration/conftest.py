import uuid

import pytest


@pytest.fixture
def source_id():
    return f"test-{uuid.uuid4().hex[:12]}"
