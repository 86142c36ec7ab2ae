"""``earmark play``: the sound check. Talkers, positions and gains by keyboard, without EEG."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import threading

    from rich.console import Group

    from earmark.app.terminal.keyboard import Keyboard
    from earmark.devices.audio.control_block import Status
    from earmark.devices.audio.engine import AudioEngine
    from earmark.devices.audio.scene import Prepared

#: Gains of the favoured talker and of the others, dB.
FAVOURED_DB, OTHERS_DB = 3.0, -9.0
#: Steps of the master gain, dB, and of a talker's azimuth, degrees.
MASTER_STEP_DB, AZIMUTH_STEP = 1.0, 5.0
#: Lowest master gain, dB, and lowest level on the meters, dBFS.
LOWEST_DB, METER_DB = -60.0, -60.0
#: Suffixes of the names of the published streams.
PUBLISHED = ("-gains", "-markers", "-envelopes")
#: Longest wait for a key before the display is updated, s.
UPDATE_S = 0.1

KEYS = (
    "1-8 favour a talker · 0 all equal · ← → move the selected one · + - louder, softer · m mute or unmute · "
    "Esc mute · q quit"
)


def play(
    config: Annotated[
        Path | None, typer.Argument(help="TOML file with [sound]; by default, the bundled speech.")
    ] = None,
    device: Annotated[
        str | None,
        typer.Option(help="Sound output: name, part of it, number in 'earmark devices', null or file:PATH.wav."),
    ] = None,
    sfreq: Annotated[
        float | None, typer.Option(help="Sample rate in Hz, instead of sfreq in [sound].", min=8000, max=192_000)
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="Stop after this many seconds; 0 plays until q or Ctrl-C.", min=0)
    ] = 0.0,
    publish: Annotated[
        bool, typer.Option("--publish/--no-publish", help="Publish gains, markers and envelopes as LSL streams.")
    ] = True,
) -> None:
    """Play the talkers, steered by the keyboard: a sound check.

    Keys: 1-8 favour a talker, 0 sets equal gains, arrows move the selected one, + and - change the master gain, m mutes
    and unmutes, Esc mutes, q quits. Ctrl-C, SIGTERM and closing the terminal also end it, with a fade-out. Exit status:
    0 played, 1 playback failed, 2 wrong usage.
    """
    from earmark.app.terminal.inputs import must_be_toml

    if config is not None:
        must_be_toml(config)
    from earmark.app.config.session import load_sound
    from earmark.app.config.sound import SHIPPED
    from earmark.app.terminal.console import clock, console, fail, failures, print_event
    from earmark.app.terminal.keyboard import Keyboard
    from earmark.app.terminal.signals import stop_on_signals
    from earmark.devices.audio.engine import AudioEngine
    from earmark.devices.audio.outlets import SoundOutlets
    from earmark.devices.audio.prepare import prepare
    from earmark.devices.sources.lsl_log import quiet_liblsl
    from earmark.pipeline.nodes.envelope import EnvelopeConfig

    quiet_liblsl()
    stop = stop_on_signals()
    outlets = None
    events: deque[str] = deque(maxlen=1000)  # a slow terminal must not delay the watchdog
    with failures():
        settings, folder = (SHIPPED, Path()) if config is None else (load_sound(config), config.parent)
        if device:  # first, as a level cap in dB SPL depends on the device
            settings = settings.model_copy(update={"device": device})
        if sfreq is not None:
            settings = settings.model_copy(update={"sfreq": sfreq})
        scene = settings.scene(folder)
        sink = settings.sink(Path() if device else folder)  # --device is relative to the current folder
        with Keyboard(stop) as keyboard:  # keys pressed while talkers are prepared take effect later
            with console.status("Preparing the talkers …"):
                prepared = prepare(scene)
            engine = AudioEngine(prepared, sink, on_event=events.append)
            try:
                if publish:
                    outlets = SoundOutlets(engine, settings.publish, EnvelopeConfig())
                engine.start()
                print_event(
                    f"Playing {', '.join(talker.name for talker in scene.talkers)} on {_where(engine.status())}."
                )
                if outlets is not None:
                    print_event(f"Published on LSL: {', '.join(settings.publish + kind for kind in PUBLISHED)}.")
                if keyboard.available:
                    print_event(KEYS)
                _watch(engine, prepared, keyboard, stop, events, seconds)
            finally:
                engine.stop()
                if outlets is not None:
                    outlets.stop()
    while events:
        print_event(events.popleft())
    if engine.failure:
        fail(f"{engine.failure}. 'earmark devices' lists the devices, 'earmark doctor' checks the sound system")
    print_event(f"Played {clock(engine.status().frames / scene.sfreq)}; {_faults(engine)}.")


def _watch(
    engine: AudioEngine,
    prepared: Prepared,
    keyboard: Keyboard,
    stop: threading.Event,
    events: deque[str],
    seconds: float,
) -> None:
    """Handle keys and show the state of the sound, until there is a reason to end."""
    from rich.live import Live

    from earmark.app.terminal.console import console, print_event

    desk = Desk(engine)
    display = Display(engine, prepared, desk)
    begun = time.monotonic()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while not stop.is_set():
            for key in keyboard.wait(UPDATE_S):
                if key == "q":
                    return
                if result := desk.press(key):
                    print_event(result)
            while events:
                print_event(events.popleft())
            if engine.join(0):  # ended for good, after an event that says why
                return
            status = engine.status()
            if ended(prepared, status):
                print_event("All talkers have played to the end.")
                return
            if seconds and time.monotonic() - begun >= seconds:
                return
            display.add_latency(status)
            if console.is_terminal:
                live.update(display.show(status), refresh=True)


class Desk:
    """A mixing desk that is controlled by single keys.

    Parameters
    ----------
    engine : AudioEngine
        Audio engine to control.
    """

    def __init__(self, engine: AudioEngine) -> None:
        talkers = engine.scene.talkers
        self._engine = engine
        self._names = [talker.name for talker in talkers]
        self._gains_db = [0.0] * len(talkers)
        #: Index of the talker that the arrow keys move.
        self.chosen = 0
        #: Azimuth of each talker, degrees to the right.
        self.azimuths = [talker.azimuth for talker in talkers]
        #: Master gain, dB.
        self.master_db = 0.0
        #: Whether the sound is muted.
        self.muted = False

    def press(self, key: str) -> str:
        """Do what a key is for; return a description, or an empty string if the key has no function."""
        n = len(self._names)
        if key in ("esc", "m"):
            self.muted = key == "esc" or not self.muted
            self._engine.mute(self.muted)
            return "MUTED" if self.muted else "unmuted"
        if key == "0":
            return self._set([0.0] * n)
        if key in tuple("12345678"[:n]):
            self.chosen = int(key) - 1
            return self._set([FAVOURED_DB if k == self.chosen else OTHERS_DB for k in range(n)])
        if key in ("left", "right"):
            step = AZIMUTH_STEP if key == "right" else -AZIMUTH_STEP
            self.azimuths[self.chosen] = min(90.0, max(-90.0, self.azimuths[self.chosen] + step))
            self._engine.move(self.azimuths)
            return f"{self._names[self.chosen]} at {azimuth(self.azimuths[self.chosen])}"
        if key in ("+", "=", "-", "_"):  # with or without the shift key
            step = MASTER_STEP_DB if key in "+=" else -MASTER_STEP_DB
            self.master_db = min(0.0, max(LOWEST_DB, self.master_db + step))
            self._engine.master(self.master_db)
            return f"master {self.master_db:+g} dB"
        return ""

    def _set(self, gains_db: Sequence[float]) -> str:
        self._engine.set_gains(gains_db)
        return ", ".join(f"{name} {gain:+g} dB" for name, gain in zip(self._names, gains_db, strict=True))


class Display:
    """State of the sound, as a table and a few lines.

    Parameters
    ----------
    engine : AudioEngine
    prepared : Prepared
        Talkers, for the lengths of their files.
    desk : Desk
        For azimuths, selected talker and mute.
    """

    def __init__(self, engine: AudioEngine, prepared: Prepared, desk: Desk) -> None:
        self._engine, self._prepared, self._desk = engine, prepared, desk
        self._ahead: deque[float] = deque(maxlen=20)

    def add_latency(self, status: Status) -> None:
        """Note how long a frame takes from here to the ear."""
        import pylsl

        if status.heartbeat:
            self._ahead.append(status.clock.time(status.frames) - pylsl.local_clock())

    def show(self, status: Status) -> Group:
        """Return a status in a form that can be printed."""
        from rich.console import Group
        from rich.table import Column, Table
        from rich.text import Text

        from earmark.app.terminal.console import clock

        table = Table(
            "",
            "talker",
            Column("gain", justify="right", min_width=8),
            Column("level", min_width=28),
            "at",
            Column("position", justify="right"),
            box=None,
            padding=(0, 2, 0, 0),
        )
        sfreq = self._engine.scene.sfreq
        for k, talker in enumerate(self._engine.scene.talkers):
            pcm = self._prepared.pcm[k]
            place = clock(status.positions[k] / sfreq)
            chosen = k == self._desk.chosen
            table.add_row(
                f"{'▸' if chosen else ' '}{k + 1}",
                Text(talker.name, style="bold" if chosen else ""),  # untrusted text
                f"{status.gains_db[k]:+.1f} dB",
                meter(status.rms[k], status.peak[k]),
                _direction(status.azimuths[k]) if talker.is_place else azimuth(self._desk.azimuths[k]),
                f"{place} live" if pcm is None else f"{place} of {clock(len(pcm) / sfreq)}",
            )
        peaks = " ".join(dbfs(peak) for peak in status.out_peak)
        ahead = f"{1e3 * max(self._ahead):.0f} ms" if self._ahead else "?"
        lines = [
            f"output peak {peaks} dBFS, cap {self._engine.scene.ceiling_dbfs:g}; "
            f"master {status.master_db:+.0f} dB; limiter {-status.limiter_db:.1f} dB"
            f"{'; MUTED' if self._desk.muted else ''}",
            f"{_where(status)}; {ahead} from here to the ear, {1e3 * status.latency_s:.0f} ms according to the driver; "
            f"{'' if status.fifo else 'no '}real-time priority",
            _faults(self._engine),
        ]
        if self._prepared.array is not None:
            changes = zip(self._engine.scene.talkers, status.delivered_db, strict=False)
            delivered = ", ".join(f"{talker.name} {change:+.1f} dB" for talker, change in changes)
            lines.insert(1, f"delivered in the mixture, against the other talkers: {delivered}")
        return Group(table, Text("\n".join(lines), style="bold red" if self._desk.muted else ""))


def ended(prepared: Prepared, status: Status) -> bool:
    """Whether all talkers are files that have played to the end."""
    talkers = zip(prepared.scene.talkers, prepared.pcm, status.positions, strict=False)
    return bool(status.heartbeat) and all(
        pcm is not None and not talker.loop and position >= len(pcm) for talker, pcm, position in talkers
    )


def meter(rms: float, peak: float, n: int = 20) -> str:
    """Return a level as a bar of ``n`` characters from -60 dBFS to full scale, with the peak as a number."""
    level = 20 * math.log10(max(rms, 1e-9))
    filled = round(n * min(1.0, max(0.0, 1 - level / METER_DB)))
    return "█" * filled + "·" * (n - filled) + f" {dbfs(peak):>5}"


def dbfs(level: float) -> str:
    """Return an amplitude in dBFS."""
    return f"{20 * math.log10(level):.1f}" if level > 1e-6 else "-∞"


def azimuth(degrees: float) -> str:
    """Format an azimuth as text."""
    return f"{abs(degrees):g}° {'left' if degrees < 0 else 'right'}" if degrees else "ahead"


def _direction(degrees: float) -> str:
    """Format the azimuth of a place, which may be anywhere."""
    return "looked for" if math.isnan(degrees) else azimuth(round(degrees))


def _where(status: Status) -> str:
    return status.sink.decode(errors="replace")


def _faults(engine: AudioEngine) -> str:
    status = engine.status()
    return (
        f"{status.xruns} xruns, {status.late} late and {status.missed} missed of {status.heartbeat} buffers, "
        f"{engine.restarts} restarts"
    )
