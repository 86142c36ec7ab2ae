"""``earmark rehearse``: practise a session with a simulated listener in the participant's place."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from earmark.app.session.simulated import ListenerName
from earmark.app.terminal.exit_status import ExitStatus


def rehearse(
    session: Annotated[Path, typer.Argument(help="Session file (TOML); 'earmark new' writes one.")],
    listener: Annotated[ListenerName, typer.Option(help="How clearly the EEG shows attention.")] = ListenerName.EASY,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="DIR", help="New folder; by default, rehearsal-N beside the session file."),
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Wait for commands, like 'serve', instead of calibrating and running.")
    ] = False,
    headless: Annotated[bool, typer.Option("--headless", help="No window, no status line, no keys.")] = False,
) -> None:
    """Practise a session with a simulated listener.

    Channels, rate, talkers, sound and protocol are those of the session; the amplifier is simulated, and the real one
    is never connected. Opens the window where there is a screen; else it calibrates, trains and runs in the terminal.

    Faults are switched by the buttons of the window, by keys, or by 'earmark control DIR fault name=cable on=true':
    blinks, muscle, loose, flat, mains, packets, cable, absent. Study, training and export leave rehearsals out. Exit
    status: 0 done, 1 failed, 130 ended early.
    """
    from earmark.app.config.toml_file import PROTOCOL
    from earmark.app.terminal.inputs import must_be_toml

    must_be_toml(session, session.parent / PROTOCOL)
    from earmark.app.config.protocol import read_protocol
    from earmark.app.config.session import load_config
    from earmark.app.terminal.console import console, fail, failures
    from earmark.app.terminal.display import why_no_window

    with failures():  # before imports that take seconds
        config, protocol = load_config(session), read_protocol(session)
    from earmark.app.config.changes import free

    folder = out or free(session.parent, "rehearsal-{}")
    if any(folder.glob("calibration-*.xdf")) or (folder / "decoder").exists():
        fail(f"{folder} contains recordings already: choose another folder with --out")
    if not headless:
        if why := why_no_window():
            console.print(f"No window: {why}. The rehearsal runs in this terminal.", markup=False, highlight=False)
        else:
            from earmark.app.dashboard.launch.process import show

            console.print(f"The window shows the rehearsal. Everything goes to {folder}.", markup=False)
            with failures():
                status = show(None, "", lambda window: window.launcher.rehearse(session, folder, listener.value))
            raise typer.Exit(status)
    from earmark.app.commands.report import report
    from earmark.app.commands.serve import wait_for_commands, write_reports
    from earmark.app.commands.whole_session import go_through
    from earmark.app.session.rehearsal import FAULT_KEYS, rehearsal
    from earmark.app.session.terminal import KEYS, Screen, in_window
    from earmark.app.terminal.keyboard import Keyboard
    from earmark.app.terminal.signals import stop_on_signals
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    stop = stop_on_signals()
    keyboard = Keyboard(stop)
    keyboard.available = keyboard.available and not headless
    place: Path | None = None
    with failures():
        ask = serve or keyboard.available
        with rehearsal(config, protocol, folder, listener.value, ask=ask, watch=serve) as supervisor, keyboard:
            faults, rig = supervisor.faults, supervisor.session
            assert faults is not None
            spec = faults.amplifier.spec
            channels = f"{spec.n_channels} channels at {spec.sfreq:g} Hz"
            console.print(
                f"REHEARSAL of {session}: the listener is simulated ({listener.value}), with {channels}. Everything "
                f"goes to {folder}.",
                markup=False,
                highlight=False,
            )
            if serve:
                wait_for_commands(supervisor, folder, stop)
            else:
                console.print(in_window(folder), markup=False, highlight=False)
                if keyboard.available:
                    console.print(f"Keys: {KEYS}\nFaults: {FAULT_KEYS}", markup=False, highlight=False)
                screen = Screen(supervisor, keyboard, faults.press)
                place = go_through(supervisor, protocol, screen, stop, line=not headless)
        if serve:
            write_reports(folder)
            return
        if place is None:
            fail(rig.failure or f"ended before the run; the recording is in {folder}", ExitStatus.INTERRUPTED)
        if rig.failure:
            fail(f"{rig.failure}. The recording up to that point is in {place}")
        report(place)
        if not rig.complete:
            fail(f"ended early; the recording is in {folder}", ExitStatus.INTERRUPTED)
