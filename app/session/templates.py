"""The commented files of a new session."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from earmark.kernels.errors import EarmarkError

#: Characters that some LSL programs do not accept in the name of a stream.
_OTHERS = re.compile(r"[^A-Za-z0-9_-]+")

SESSION = """\
# A session with a listener, read by 'earmark calibrate' and 'earmark run'. protocol.toml next to it plans the trials.

# The electrodes: an LSL stream, selected by type, name or source_id. 'earmark streams' lists the available streams.
[streams.eeg]
type = "EEG"
# name = "my amplifier"
# source_id = "..."        # safest if there are several streams
# host = "..."             # computer that sends it, if several send a stream of the same name
# n_channels = 64          # refuse any other number
# max_impedance_kohm = 20  # electrodes above it need work, if the sender states impedances
# Missing or wrong metadata of the sender:
# unit = "uV"              # V, mV, uV, nV; "0.0488 uV" for integer counts of this size
# ch_type = "seeg"         # eeg, seeg, ecog
# sfreq = 250.0            # Hz
# channels = ["!EKG", "!DC*"]  # names or patterns of channels to keep, or with ! to exclude
# bads = ["T7"]            # bad channels: masked for the whole session

# The envelopes of the talkers; this session publishes them itself.
[streams.speech]
name = "{name}-envelopes"
ch_type = "misc"

# Cues to the listener, and answers; this session publishes them itself.
[streams.cues]
name = "{name}-cues"
type = "Markers"

# From electrodes to gains. Commented values are the defaults.
[attention]
preset = "eeg"             # ieeg for intracranial electrodes
# decoder = "decoder"      # folder of a decoder; default: the one that 'earmark calibrate' trained
# group = "..."            # decoder of other listeners, mixed in: a minute of calibration is then enough to begin
# fallback = "..."         # folder of a faster decoder, used if that one is too slow
# backends = ["onnx"]      # for networks: backends that 'earmark compile' has compiled, fastest first
# expected_dwell_s         # set it only if every switch of attention is cued: the interval of the cues, s
# enter = 0.7              # probability above which a talker is decided for
# leave = 0.55             # probability below which that decision ends
# boost_db = 3.0           # gain of a talker who is attended to with certainty
# cut_db = -9.0            # gain of a talker who is ignored with certainty
# hold_s = 1.0             # minimum time between two changes of the favoured talker

# What the listener hears. 'earmark play {file}' plays it as a sound check.
[sound]
device = "default"         # a name or number from 'earmark devices'; null for none; file:PATH.wav
publish = "{name}"         # prefix of the names of the published streams
# ceiling_dbfs = -6.0      # level cap

[[sound.talkers]]
name = "Joe"
source = "speech:joe"      # included in Earmark; or a sound file, input:1, lsl:NAME
azimuth = -30.0            # degrees, positive to the right
loop = true

[[sound.talkers]]
name = "Ada"
source = "speech:ada"
azimuth = 30.0
loop = true
"""

PROTOCOL = """\
# The plan of calibration and runs.

[calibration]
n_trials = 12              # a multiple of the number of talkers
trial_s = 30.0
pause_s = 5.0
order = "counterbalanced"  # every talker equally often, at most two in a row; or random
seed = {seed}              # the same seed gives the same order
cue_sound_s = 1.5          # a cue plays the talker alone for this time; 0 to disable
questions = ["How hard was it to follow? 1-7"]  # or {{ text = "Did you follow?", options = ["yes", "no"] }}
# Or list the trials, instead of n_trials, trial_s, pause_s, order and seed:
# [[calibration.trials]]
# attend = "Joe"
# seconds = 30.0
# rest_s = 5.0

[run]
seconds = 300.0
switch_every_s = 45.0      # interval of cues to attend to another talker; without it, the listener is free
seed = {seed}
questions = ["How hard was it to follow? 1-7"]
# Or list the cues, instead of switch_every_s and seed:
# [[run.cues]]
# at_s = 0.0
# attend = "Joe"

# What the participant's screen of the window says (F11), in any language. Commented values are the defaults; "" shows
# nothing.
[participant]
# calibration = "..."      # instructions before a calibration
# run = "..."              # instructions before a run
# listen = "Listen to {{name}}"  # without {{name}}, an arrow alone shows the talker
# rest = "Rest"
# pause = "Pause"
# wait = "Please wait"
# tell = "Please tell the experimenter your answer."  # below a question without answers to choose from
# end = "Thank you"
"""


class NewError(EarmarkError):
    """Raised when the files of a new session cannot be written."""


def write_session(
    folder: Path, settings: Mapping[str, Any] | None = None, plan: Mapping[str, Any] | None = None
) -> Path:
    """Create a folder with the files of a session; return the path of ``session.toml``.

    Parameters
    ----------
    folder : Path
    settings, plan : mapping, optional
        Keys of ``session.toml`` and ``protocol.toml`` to change, by table; None removes a key. Comments stay.

    Raises
    ------
    NewError
        If the folder already exists, cannot be created, or has a name that cannot be used for streams.
    earmark.app.config.toml_file.ConfigError
        If a setting cannot be used; nothing is written then.
    """
    import secrets

    from earmark.app.config.toml_file import PROTOCOL as FILE

    if not folder.name or not folder.name.isprintable() or folder.name.startswith("-"):
        raise NewError(f"{folder.name!r} cannot be the name of a session: begin it with a letter or digit")
    name = _of_streams(folder)
    session = folder / "session.toml"
    text = SESSION.format(name=name, file=session.name)
    protocol = PROTOCOL.format(seed=secrets.randbelow(1_000_000))
    if settings or plan:
        text, protocol = _changed(text, settings or {}), _changed(protocol, plan or {})
        _check(text, protocol, folder)
    try:
        folder.mkdir(parents=True)
        session.write_text(text, encoding="utf-8")
        (folder / FILE).write_text(protocol, encoding="utf-8")
    except FileExistsError:
        raise NewError(f"{folder} already exists: choose another name") from None
    except OSError as error:
        raise NewError(f"{folder} cannot be created: {error.strerror}") from error
    return session


def _changed(text: str, changes: Mapping[str, Any]) -> str:
    """Return a TOML text with other values; comments stay, and keys that are comments become keys."""
    import tomlkit

    for path, key in _keys(changes):
        head, found, rest = text.partition(f"[{path}]\n")
        table, end, after = rest.partition("\n[")
        text = head + found + re.sub(rf"(?m)^# (?={key} = )", "", table, count=1) + end + after
    document = tomlkit.parse(text)
    _fill(document, changes)
    return tomlkit.dumps(document)


def _keys(changes: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Yield table and key of each value."""
    for key, value in changes.items():
        if isinstance(value, Mapping):
            yield from _keys(value, f"{path}.{key}".lstrip("."))
        elif value is not None:
            yield path, key


def _fill(table: MutableMapping[str, Any], changes: Mapping[str, Any]) -> None:
    import tomlkit

    for key, value in changes.items():
        if isinstance(value, Mapping):
            _fill(table[key], value)
        elif value is None:
            table.pop(key, None)
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            rows = tomlkit.aot()
            for each in value:
                row = tomlkit.table()
                row.update(each)
                rows.append(row)
            table[key] = rows
        else:
            table[key] = value


def _check(text: str, protocol: str, folder: Path) -> None:
    """Raise a ConfigError if a session cannot use these files."""
    from earmark.app.config.protocol import parse_protocol
    from earmark.app.config.session import parse_config
    from earmark.app.config.toml_file import PROTOCOL as FILE

    config, plan = parse_config(text, "session.toml", folder), parse_protocol(protocol, FILE)
    assert config.sound is not None  # it is in the template
    talkers = [talker.name for talker in config.sound.talkers]
    config.sound.scene(folder)
    plan.calibration.cues(talkers)
    plan.run.cues(talkers)


def _of_streams(folder: Path) -> str:
    """Return the prefix of a session's stream names; for sub-01/ses-02 from both folders, so that it is unique."""
    import secrets
    import unicodedata

    whole = f"{folder.parent.name}-{folder.name}" if folder.name.startswith("ses-") else folder.name
    plain = unicodedata.normalize("NFKD", whole).encode("ascii", "ignore").decode()
    return _OTHERS.sub("-", plain).strip("-") or f"session-{secrets.token_hex(2)}"
