"""``earmark demo``: the streaming core on a recording made for the purpose, with real LSL between real processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

SESSION = """\
# A session: which streams come in, what is done to them, what leaves.
[streams.eeg]
type = "EEG"
source_id = "earmark-demo"

[streams.markers]
type = "Markers"
source_id = "earmark-demo-markers"

[[nodes]]            # whole hops of microvolts, whatever arrives
type = "reblock"
input = "eeg"

[[nodes]]            # which channels can be trusted
type = "quality"

[[nodes]]
type = "notch"
line_hz = 50.0

[[nodes]]
type = "bandpass"
low_hz = 1.0
high_hz = 9.0

[[nodes]]
type = "reference"
kind = "average"

[[nodes]]
type = "resample"
sfreq = 64.0

[[nodes]]
type = "epochs"
inputs = ["reference", "markers"]

[[outputs]]
node = "resample"
publish = "earmark-demo-clean"

[[outputs]]
node = "epochs"
"""


def demo(
    seconds: Annotated[float, typer.Option(help="How long to record.", min=5)] = 20.0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Keep the files in this folder.")] = None,
) -> None:
    """Play a simulated recording through LSL, filter it live, record it, and replay it to the identical output.

    Every step is an earmark command of its own, shown as it is run. Exit status: 0 all went well, 1 a step failed.
    """
    from app.console import console, fail
    from devices.generate import generate_recording

    folder = out or Path(tempfile.mkdtemp(prefix="earmark-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    recording, session = folder / "simulated_raw.fif", folder / "session.toml"
    console.print("Nobody was recorded for this: the EEG is simulated, 32 channels at 500 Hz.")
    if not recording.exists():
        generate_recording(recording, seconds=seconds + 15, seed=1)
    session.write_text(SESSION, encoding="utf-8")

    def command(*words: object) -> list[str]:
        console.print(f"\n$ earmark {' '.join(map(str, words))}", style="bold", markup=False, highlight=False)
        return [sys.executable, "-m", "app.cli", *map(str, words)]

    def run(*words: object) -> None:
        status = subprocess.run(command(*words), check=False).returncode
        if status:
            fail(f"that command ended with status {status}", status)

    run("describe", session, "--recording", recording)
    sender = subprocess.Popen(
        command("stream", recording, "--source-id", "earmark-demo", "--wait"), stdout=subprocess.DEVNULL
    )
    try:
        run("record", session, "--out", folder, "--seconds", seconds)
    finally:
        sender.send_signal(signal.SIGINT)
        sender.wait(10)
    newest = max(folder.glob("session-*.xdf"), key=lambda path: path.stat().st_mtime)
    run("replay", newest, "--verify")
    console.print(f"\nAll files are in {folder}", markup=False)


if __name__ == "__main__":
    typer.run(demo)
