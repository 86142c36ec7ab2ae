"""The files of a new session, commented, to start from."""

from __future__ import annotations

import re
from pathlib import Path

from earmark.kernels.errors import EarmarkError

#: Whatever is in no name of an LSL stream, since it makes trouble somewhere.
_OTHERS = re.compile(r"[^A-Za-z0-9_-]+")

SESSION = """\
# A session with a listener. 'earmark calibrate' and 'earmark run' read it; protocol.toml beside it says what happens.

# The electrodes: an LSL stream, found by type, name or source_id. 'earmark streams' lists what there is.
[streams.eeg]
type = "EEG"
# name = "my amplifier"
# source_id = "..."        # the surest where there are several
# host = "..."             # the computer that sends it, where several send one of the same name
# n_channels = 64          # refuse anything else
# What the sender does not say, or says wrong:
# unit = "uV"              # V, mV, uV, nV; "0.0488 uV" for counts that are worth so much each
# ch_type = "seeg"         # eeg, seeg, ecog
# sfreq = 250.0            # Hz
# channels = ["!EKG", "!DC*"]  # names or patterns: those to keep, or with ! to leave out
# bads = ["T7"]            # not to be trusted: masked for the whole session

# The envelopes of the talkers as they are played: this session publishes them itself.
[streams.speech]
name = "{name}-envelopes"
ch_type = "misc"

# Cues to the listener, and answers: this session publishes them itself.
[streams.cues]
name = "{name}-cues"
type = "Markers"

# From electrodes to gains. What is commented is what holds if nothing is said.
[attention]
preset = "eeg"             # ieeg for intracranial electrodes
# decoder = "decoder"      # folder of a decoder; if not said, the one that 'earmark calibrate' made
# fallback = "..."         # folder of a quicker decoder, for when that one is too slow
# backends = ["onnx"]      # of a network: what 'earmark compile' made ready, the quickest first
# switch_rate = 0.02       # how often attention leaves a talker, per second
# enter = 0.7              # decide for a talker from this probability on
# leave = 0.55             # and until it falls below this
# boost_db = 3.0           # gain of a talker who is surely attended to
# cut_db = -9.0            # gain of one who surely is not
# hold_s = 1.0             # least time between two changes of whom gains favour

# What is heard. 'earmark play {file}' is the sound check.
[sound]
device = "default"         # a name or number of 'earmark devices'; null for none; file:PATH.wav
publish = "{name}"         # what names of the published streams begin with
# ceiling_dbfs = -6.0      # level cap

[[sound.talkers]]
name = "Joe"
source = "speech:joe"      # ships with the program; or a sound file, input:1, lsl:NAME
azimuth = -30.0            # degrees to the right
loop = true

[[sound.talkers]]
name = "Ada"
source = "speech:ada"
azimuth = 30.0
loop = true
"""

PROTOCOL = """\
# What happens in this session, and when.

[calibration]
n_trials = 12              # a multiple of the number of talkers
trial_s = 30.0
pause_s = 5.0
order = "counterbalanced"  # every talker equally often, two in a row at most; or random
seed = {seed}              # the same seed gives the same order
cue_sound_s = 1.5          # so long the talker cued is heard alone at first; 0 for never
questions = ["How hard was it to follow? 1-7"]
# Or each trial written out, instead of n_trials, trial_s, pause_s, order and seed:
# [[calibration.trials]]
# attend = "Joe"
# seconds = 30.0
# rest_s = 5.0

[run]
seconds = 300.0
switch_every_s = 45.0      # a cue to attend to another talker; leave it out, and the listener is free
seed = {seed}
questions = ["How hard was it to follow? 1-7"]
# Or each cue written out, instead of switch_every_s and seed:
# [[run.cues]]
# at_s = 0.0
# attend = "Joe"
"""


class NewError(EarmarkError):
    """Raised when the files of a new session cannot be written."""


def write_session(folder: Path) -> Path:
    """Make a folder with the files of a session; return that of the session.

    Raises
    ------
    NewError
        If the folder is there already, cannot be made, or has a name that cannot name streams.
    """
    import secrets

    from earmark.app.config.toml_file import PROTOCOL as FILE

    if not folder.name or not folder.name.isprintable() or folder.name.startswith("-"):
        raise NewError(f"{folder.name!r} cannot be the name of a session: begin it with a letter or digit")
    name = _of_streams(folder)
    session = folder / "session.toml"
    try:
        folder.mkdir(parents=True)
        session.write_text(SESSION.format(name=name, file=session.name), encoding="utf-8")
        text = PROTOCOL.format(seed=secrets.randbelow(1_000_000))
        (folder / FILE).write_text(text, encoding="utf-8")
    except FileExistsError:
        raise NewError(f"{folder} is there already: choose another name") from None
    except OSError as error:
        raise NewError(f"{folder} cannot be made: {error.strerror}") from error
    return session


def _of_streams(folder: Path) -> str:
    """What names of a session's streams begin with: of sub-01/ses-02 both, so that no other listener has the same."""
    import secrets
    import unicodedata

    whole = f"{folder.parent.name}-{folder.name}" if folder.name.startswith("ses-") else folder.name
    plain = unicodedata.normalize("NFKD", whole).encode("ascii", "ignore").decode()
    return _OTHERS.sub("-", plain).strip("-") or f"session-{secrets.token_hex(2)}"
