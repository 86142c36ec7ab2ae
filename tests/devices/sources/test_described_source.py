import math
from dataclasses import replace

import pytest

from earmark.devices.sources.lsl_description import StreamError
from earmark.devices.sources.source import describe
from earmark.pipeline.stream import StreamSpec


@pytest.mark.parametrize("sfreq", [-3.0, math.inf, math.nan])
def test_impossible_rate_is_refused_in_words(sfreq):
    with pytest.raises(StreamError, match=r"'amp': its rate is .* Hz, but must be 0 or more"):
        describe(StreamSpec("amp", sfreq, ("Cz",), ("eeg",), ("uV",)), "amp-1")


def test_origin_has_the_computer_only_if_it_is_known():
    described = describe(StreamSpec("amp", 250.0, ("Cz",), ("eeg",), ("uV",)), "amp-1")
    assert not described.host
    assert described.origin == "amp"
    assert replace(described, host="PC-A").origin == "amp from PC-A"
