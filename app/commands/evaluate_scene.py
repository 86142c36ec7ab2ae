"""``earmark evaluate-scene``: measure how well talkers of a mixture are told apart, steered and decoded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from earmark.app.terminal.console import JsonFile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from earmark.app.scenes.plan import Settings

#: Duration of one scene, s: most that fits in memory beside others, and least that decoders can use.
MOST_S, LEAST_S = 120.0, 6.0


def evaluate_scene(
    speech: Annotated[
        Path | None,
        typer.Option(
            help="Folder of speech: each sound file, or subfolder of sound files, is a talker; default: the bundled "
            "speech."
        ),
    ] = None,
    arrays: Annotated[
        str, typer.Option(help="Arrays: glasses6, aids4, ears2, table, ears2-kemar (measured responses).")
    ] = "glasses6,aids4,ears2,ears2-kemar",
    rt60: Annotated[str, typer.Option(help="Reverberation times in s.")] = "0,0.3",
    pairs: Annotated[int, typer.Option(help="Pairs of talkers; no speech is used twice.", min=1, max=100)] = 6,
    seeds: Annotated[int, typer.Option(help="Rooms and positions drawn for each pair.", min=1, max=100)] = 1,
    seconds: Annotated[float, typer.Option(help="Duration of a scene.", min=LEAST_S, max=MOST_S)] = 30.0,
    separators: Annotated[str, typer.Option(help="Separators; default: all that are installed.")] = "",
    listener: Annotated[
        str, typer.Option(help="Simulated listeners: easy, typical, hard; or none, which decodes no attention.")
    ] = "easy,typical",
    workers: Annotated[int, typer.Option(help="Number of processes on this machine.", min=1)] = 1,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", "--html", help="Write a self-contained HTML page to this file.")
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Measure how well talkers of a mixture are told apart.

    Simulates two talkers in rooms, as arrays of microphones hear them, and measures separation, the change of the ratio
    of target and masker at the ears, predicted intelligibility and quality, envelopes, and attention decoded with
    simulated listeners. Values of --arrays, --rt60, --separators and --listener are separated by commas. Nothing is
    loaded from a network. Needs the extra scene; PESQ needs the extra pesq. Ctrl-C writes what was finished. Exit
    status: 0 done, 1 failed, 130 ended by Ctrl-C.
    """
    from earmark.app.report.scene_page import scene_html
    from earmark.app.scenes.evaluation import Evaluating
    from earmark.app.terminal.console import console, fail, failures, write_json
    from earmark.app.terminal.exit_status import ExitStatus
    from earmark.app.terminal.outputs import must_be_writable
    from earmark.app.training.runs import progress
    from earmark.devices.files.corpus import executor

    must_be_writable(json_file, output)
    with failures():
        settings = _settings(speech, arrays, rt60, pairs, seeds, seconds, separators, listener)
        interrupted = False
        with progress("Evaluating") as on_progress:
            evaluating = Evaluating(settings, executor(workers), on_progress)
            try:
                evaluating.run()
            except KeyboardInterrupt:
                interrupted = True
    found = evaluating.to_json()
    if not found["rows"]:
        fail("ended by Ctrl-C before any room was measured", ExitStatus.INTERRUPTED)
    _show(found)
    write_json(json_file, found)
    if output is not None:
        try:
            output.write_text(scene_html(found), encoding="utf-8")
        except OSError as error:
            fail(f"cannot write {error.filename}: {error.strerror}")
        console.print(f"Wrote {output}", markup=False)
    if interrupted:
        fail("ended by Ctrl-C; what was finished is above", ExitStatus.INTERRUPTED)


def _settings(
    speech: Path | None,
    arrays: str,
    rt60: str,
    pairs: int,
    seeds: int,
    seconds: float,
    separators: str,
    listener: str,
) -> Settings:
    """Check everything that takes no time to check."""
    from earmark.app.config.sound import SPEECH
    from earmark.app.scenes.plan import Settings
    from earmark.devices.audio.scene import SEPARATORS
    from earmark.devices.files.talker_speech import find_voices, pair_up
    from earmark.devices.simulate.listener import PRESETS
    from earmark.devices.simulate.room_scenes import ARRAYS, check_rt60
    from earmark.kernels.extras import require
    from earmark.pipeline.decoders.presets import DEFAULT_DECODER

    require("scene", "simulated rooms and predicted intelligibility need more packages")
    scalp = tuple(name for name, config in PRESETS.items() if config.ch_type == "eeg")
    listeners = () if listener == "none" else _chosen("--listener", listener, scalp)
    times = tuple(_seconds(text) for text in _words("--rt60", rt60))
    for time in times:
        check_rt60(time)
    return Settings(
        pairs=tuple(pair_up(find_voices(speech or SPEECH), pairs, seconds)),
        arrays=_chosen("--arrays", arrays, ARRAYS),
        rt60=times,
        separators=_chosen("--separators", separators, SEPARATORS.names()) if separators else SEPARATORS.names(),
        listeners=listeners,
        seeds=seeds,
        seconds=seconds,
        decoder=DEFAULT_DECODER["eeg"],
    )


def _words(option: str, text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not found:
        raise typer.BadParameter(f"{option} is empty: give one or more, separated by commas")
    return found


def _chosen(option: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    found = _words(option, text)
    for word in found:
        if word not in known:
            raise typer.BadParameter(f"{option}: there is no {word!r}: choose from {', '.join(known)}")
    return found


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"--rt60: {text!r} is no number of seconds") from None


#: Columns of the table on the terminal: figure, heading, decimals, and whether the interval is shown, too.
_COLUMNS = (
    ("si_sdri_db", "SI-SDRi dB", 1, True),
    ("delivered_db", "deliv. dB", 1, True),
    ("estoi", "eSTOI", 2, False),
    ("pesq", "PESQ", 2, False),
    ("envelope_own", "own", 2, False),
    ("envelope_other", "other", 2, False),
    ("swaps", "swaps", 1, False),
    ("real_time_factor", "RTF", 2, False),
)


def _show(found: Mapping[str, Any]) -> None:
    from rich import box
    from rich.table import Table

    from earmark.app.report.scene_page import decisions
    from earmark.app.terminal.console import console
    from earmark.kernels.words import counted

    about = found["about"]
    looks: dict[str, Any] = {"title_justify": "left", "box": box.SIMPLE_HEAD, "show_edge": False}
    looks |= {"collapse_padding": True, "caption_justify": "left"}
    names = [
        (
            " ".join(filter(None, (row["row"], row["directions"]))),
            row["array"] or "",
            "" if row["rt60_s"] is None else f"{row['rt60_s']:g}",
        )
        for row in found["rows"]
    ]
    table = Table(
        title=f"{counted(len(about['pairs']), 'pair')} of talkers: means, and 95 % intervals over pairs", **looks
    )
    for head in ("row", "array", "RT60"):
        table.add_column(head, overflow="fold")
    for _, head, *_ in _COLUMNS:
        table.add_column(head, justify="right")
    for name, row in zip(names, found["rows"], strict=True):
        table.add_row(*name, *(_number(row["figures"][key], digits, whole) for key, _, digits, whole in _COLUMNS))
    table.caption = (
        f"deliv.: change at the ears, of {about['asked_db']:g} dB asked; own, other: correlation of envelopes with the "
        f"talkers'; swaps: per minute; RTF: processor time per time of sound; delay: {1000 * about['transform_s']:g} ms"
    )
    console.print(table)
    for who in about["listeners"]:
        shown = Table(title=f"Attention right, listener {who}: % (change to clean/clean)", **looks)
        for head in ("row", "array", "RT60", "trained/tested on", *(f"{w:g} s" for w in about["windows_s"])):
            shown.add_column(head, overflow="fold")
        for name, row in zip(names, found["rows"], strict=True):
            by_window = row["attention"].get(who, {})
            for pairing in next(iter(by_window.values()), {}):
                shown.add_row(*name, pairing, *(_right(one[pairing]) for one in by_window.values()))
        shown.caption = decisions(found, who)
        console.print(shown)
    for note in found["notes"]:
        console.print(note, markup=False)


def _number(found: Mapping[str, Any] | None, digits: int, whole: bool) -> str:
    if found is None:
        return "–"
    mean, low, high = (found[name] for name in ("mean", "low", "high"))
    text = f"{mean:z.{digits}f}"
    return text if not whole or low is None or low == high else f"{text} ({low:z.{digits}f} to {high:z.{digits}f})"


def _right(found: Mapping[str, Any]) -> str:
    if found["mean"] is None:
        return "–"
    loss = found.get("loss")
    return f"{100 * found['mean']:.1f}" + ("" if loss is None else f" ({-100 * loss['mean']:+z.1f})")
