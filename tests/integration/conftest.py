import uuid

import pytest

from earmark.app.session import channel


@pytest.fixture
def source_id():
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="session", autouse=True)
def patient_clients():
    """Clients of the command channel wait for a session on a busy machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channel, "SILENT_S", 600.0)
        yield
