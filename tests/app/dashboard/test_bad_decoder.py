"""The advice about a decoder that is no better than guessing can be followed in every state."""

import pytest
from made_up_status import session_status

from earmark.app.dashboard.data.snapshot import snapshot
from earmark.app.dashboard.pages.calibration import Calibration
from earmark.app.dashboard.pages.live import Controls
from earmark.app.status import DecoderSummary, State

BAD = DecoderSummary(0.5, 0.5, 0.6, 80, 300.0, "")


def now(state, **changes):
    status = {"state": state, "task": None, "decoder": True, "trained": True, "decoder_summary": BAD} | changes
    return snapshot(10.0, session_status(**status), None, None, False)


@pytest.mark.parametrize("state", [State.IDLE, State.REVIEW])
def test_decoder_is_discarded_after_a_check(qapp, theme, state):
    """Only a session that is ready discards its decoder, and none calibrates while it has one."""
    seen = now(state)
    for words in (Controls()._between(seen), Calibration()._where(seen)[1]):
        assert words.index("check everything (F7)") < words.index("discard the decoder")


def test_decoder_of_an_earlier_session_is_never_discarded(qapp, theme):
    words = Calibration()._where(now(State.IDLE, decoder_summary=None))[1]
    assert "use another folder" in words


def test_without_a_decoder_in_the_folder_the_calibration_begins_at_once(qapp, theme):
    words = Controls()._between(now(State.READY, trained=False))
    assert words == "The decoder is no better than guessing: calibrate again (Ctrl+3)"


@pytest.mark.parametrize(
    ("kind", "words"),
    [("replay", "A replay cannot"), ("demo", "The demo calibrates by itself"), ("view", "make a session of it")],
)
def test_page_says_why_this_is_not_calibrated(qapp, theme, kind, words):
    assert words in Calibration()._where(now(State.RUNNING, kind=kind, commands=("mute",)))[1]
