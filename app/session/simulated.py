"""A session with a simulated listener, who hears the session's sound and follows its cues."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from earmark.app.config.protocol import Protocol
    from earmark.app.session.supervisor import Supervisor

#: Configuration of the demonstration; all streams are on this machine. The prefix keeps demonstrations apart.
SESSION = """\
[streams.eeg]
source_id = "{prefix}-eeg"

[streams.speech]
name = "{prefix}-envelopes"
ch_type = "misc"

[streams.cues]
name = "{prefix}-cues"
type = "Markers"

[attention]

[engine]
resolve_s = 60.0

[sound]
device = "{device}"
publish = "{prefix}"
"""
#: Talkers on channels of their own.
APART = """
[[sound.talkers]]
name = "Joe"
source = "speech:joe"
azimuth = -30.0
loop = true

[[sound.talkers]]
name = "Ada"
source = "speech:ada"
azimuth = 30.0
loop = true
"""
#: Talkers who walk in a room, heard by microphones on glasses.
CAFE = """
[[sound.talkers]]
name = "Joe"
source = "place:1"
azimuth = -60.0

[[sound.talkers]]
name = "Ada"
source = "place:2"
azimuth = 25.0

[array]
preset = "glasses6"
microphones = "room"

[room]
rt60_s = 0.3
seconds = 90.0

[[room.talkers]]
name = "Joe"
source = "speech:joe"
azimuth = -60.0
azimuth_to = -25.0
speed = 5.0

[[room.talkers]]
name = "Ada"
source = "speech:ada"
azimuth = 25.0
azimuth_to = 60.0
speed = 4.0
"""
#: Talkers of the demonstration.
TALKERS = ("Joe", "Ada")
#: Fraction of the total time that calibration takes, and its number of trials.
CALIBRATION, N_TRIALS = 0.5, 6
#: Seconds between switches of attention during the closed-loop run.
SWITCH_S = 20.0
#: Commands that a demonstration does not take, because it goes from calibration to report by itself.
BY_ITSELF = frozenset({"check", "calibrate", "redo", "finish", "accept", "refuse", "run", "bad"})


class ListenerName(StrEnum):
    """Presets of ``earmark.devices.simulate.listener``."""

    EASY = "easy"
    TYPICAL = "typical"
    HARD = "hard"


@contextlib.contextmanager
def simulated_session(
    folder: Path, device: str, protocol: Protocol, listener: str, mixture: bool = False
) -> Iterator[Supervisor]:
    """Start a session with a simulated listener who hears the envelopes and follows the cues; its sound is playing.

    Parameters
    ----------
    folder : Path
        Folder for all files.
    device : str
        Sound device. If empty: the default device, or a file written in real time if there is none.
    protocol : Protocol
    listener : str
        Preset of :mod:`earmark.devices.simulate.listener`.
    mixture : bool
        Whether the talkers are in a room, and are told apart. The listener then hears the people in it, by their clean
        envelopes, while the session knows what was separated.

    Yields
    ------
    Supervisor
        Of the session.

    Raises
    ------
    AudioError
        If ``device`` is given and cannot be played on.
    """
    import os

    from earmark.app.config.session import parse_config
    from earmark.app.session.channel import Refused
    from earmark.app.session.supervisor import Supervisor
    from earmark.app.terminal.console import print_event
    from earmark.devices.audio.outlets import CLEAN, ENVELOPES
    from earmark.devices.audio.scene import AudioError
    from earmark.devices.simulate.listener import PRESETS
    from earmark.devices.simulate.live import ListenerProcess, LiveConfig

    prefix = f"earmark-demo-{os.getpid()}"
    streams = LiveConfig(
        TALKERS,
        f"{prefix}{CLEAN if mixture else ENVELOPES}",
        f"{prefix}-cues",
        source_id=f"{prefix}-eeg",
        listener=PRESETS[listener],
        delivery_s=0.12,
    )

    def supervise(place: str) -> Supervisor:
        text = SESSION.format(prefix=prefix, device=place) + (CAFE if mixture else APART)
        config = parse_config(text, "the demonstration", folder)
        return Supervisor(config, folder, protocol, "demo")

    with contextlib.ExitStack() as stack:
        supervisor = stack.enter_context(supervise(device or "default"))
        try:
            supervisor.session.play()
        except AudioError as error:
            if device:
                raise
            print_event(f"{error}. The sound is written to {folder / 'sound.wav'} instead.")
            stack.close()
            supervisor = stack.enter_context(supervise("file:sound.wav"))
            supervisor.session.play()
        session = supervisor.session
        session.hears_sound = False
        person = ListenerProcess(streams)
        stack.callback(person.stop)

        def attend(name: str) -> None:  # as a cue, so that the run can be scored
            task = session.task
            if task is None or task.wait(0):  # still the one before
                raise Refused("the run is just beginning: choose again in a moment")
            task.cue(name)

        supervisor.attend = attend
        yield supervisor
