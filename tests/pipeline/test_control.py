"""Control messages and the text by which recordings keep them, which must never change within a format version."""

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from earmark.pipeline.control import (
    ControlError,
    Demote,
    Late,
    Mute,
    Override,
    Session,
    SessionChanged,
    StreamChanged,
    Tick,
    parse,
    text,
)

#: Texts in recordings made before messages had types.
WRITTEN = {
    "tick": Tick(),
    "session no decoder": SessionChanged(Session.NO_DECODER),
    "session calibrating": SessionChanged(Session.CALIBRATING),
    "session paused": SessionChanged(Session.PAUSED),
    "session running": SessionChanged(Session.RUNNING),
    "stream good": StreamChanged(lost=False),
    "stream lost": StreamChanged(lost=True),
    "override none": Override(None),
    "override equal": Override("equal"),
    "override 1": Override(0),
    "override 2": Override(1),
    "override 8": Override(7),
    "mute on": Mute(True),
    "mute off": Mute(False),
    "late": Late(),
    "demote": Demote(),
}


@pytest.mark.parametrize(("said", "control"), WRITTEN.items())
def test_texts_equal_those_in_older_recordings(said, control):
    assert parse(said) == control
    assert text(control) == said


@given(
    st.one_of(
        st.sampled_from(list(WRITTEN.values())),
        st.builds(Override, st.one_of(st.none(), st.just("equal"), st.integers(0, 998))),
    )
)
def test_every_message_survives_a_round_trip_through_text(control):
    assert parse(text(control)) == control


@given(st.text())
def test_any_other_text_is_an_error(said):
    assume(said not in WRITTEN and not re.fullmatch("override [1-9][0-9]{0,2}", said, re.ASCII))
    with pytest.raises(ControlError, match="must be one of: tick, "):
        parse(said)


@pytest.mark.parametrize(
    "said",
    ["", "Tick", "tick ", "mute", "mute On", "override", "override 0", "override 01", "override -1", "override +1",
     "override ²", "override ١", "override 1\n", "session over", "stream too many bad channels", "unmute"],
)  # fmt: skip
def test_typing_error_in_a_text_is_an_error(said):
    with pytest.raises(ControlError, match="control is"):
        parse(said)


@pytest.mark.parametrize("control", ["tick", None, 1, Override, "override 1"])
def test_object_that_is_no_message_has_no_text(control):
    with pytest.raises(ControlError, match="control is"):
        text(control)


@pytest.mark.parametrize("talker", [-1, -2, True, "none", "1", 1.0])
def test_override_of_an_invalid_talker_is_an_error(talker):
    with pytest.raises(ControlError, match="counted from 0"):
        Override(talker)
