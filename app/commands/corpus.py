"""``earmark corpus``: make runs from a published data set, or from any MATLAB or HDF5 files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from earmark.app.commands.options import Bads, Channels, Unit, overrides

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from earmark.app.commands.corpus_runs import Reader
    from earmark.devices.sources.overrides import Overrides

#: First argument that lists the contents of files.
SHOW = "show"


def corpus(
    name: Annotated[
        str,
        typer.Argument(
            metavar="CORPUS",
            help="kul: KU Leuven, 16 listeners, doi:10.5281/zenodo.4004271. dtu: DTU, 18 listeners, "
            "doi:10.5281/zenodo.1199011. FILE.toml: any other MATLAB or HDF5 files, mapped by this file. show: list "
            "what a file holds, to write such a mapping.",
            show_default=False,
        ),
    ],
    folder: Annotated[
        Path,
        typer.Argument(help="Folder with the unpacked files, sounds included; for show, a file.", show_default=False),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for the runs: one folder per listener.")
    ] = None,
    repetitions: Annotated[
        bool, typer.Option("--repetitions", help="kul: also make runs of the trials that repeat earlier ones.")
    ] = False,
    preprocessed: Annotated[
        bool,
        typer.Option("--preprocessed", help="dtu: take the filtered files, S1_data_preproc.mat, not the raw ones."),
    ] = False,
    unit: Unit = "",
    channels: Channels = "",
    bads: Bads = "",
) -> None:
    """Make runs of a published data set, or of MATLAB files.

    Each trial with two talkers becomes a run, as 'earmark import' writes it: EEG as stored, envelopes that Earmark
    computes from the sounds, who was attended, and what was heard. Runs that exist are kept: the command can be
    repeated after it was ended. Exit status: 0 done, 1 failed, or some runs could not be made.
    """
    from earmark.app.commands.corpus_runs import make_runs
    from earmark.app.terminal.console import fail, failures
    from earmark.app.terminal.outputs import must_take_files
    from earmark.devices.sources.lsl_log import quiet_liblsl

    quiet_liblsl()
    with failures():
        if name == SHOW:
            _show(folder)
            return
        reader = _reader(name, folder, overrides(unit, "", channels, bads, None), repetitions, preprocessed)
        if out is None:
            fail("no folder for the runs is given: give it with --out")
        must_take_files(out)
        make_runs(reader, out)


def _reader(name: str, folder: Path, words: Overrides, repetitions: bool, preprocessed: bool) -> Reader:
    from functools import partial

    from earmark.app.commands.corpus_runs import Reader
    from earmark.app.terminal.console import fail
    from earmark.devices.files.corpus_dtu import dtu_listeners, dtu_preprocessed_trials, dtu_trials
    from earmark.devices.files.corpus_kul import kul_listeners, kul_trials
    from earmark.devices.files.corpus_trials import Sounds

    if repetitions and name != "kul":
        fail("--repetitions is for kul only")
    if preprocessed and name != "dtu":
        fail("--preprocessed is for dtu only")
    said = words.to_json()
    if name == "kul":
        files = kul_listeners(folder)
        wanted = "S1.mat and so on, of doi:10.5281/zenodo.4004271"
        trials: Callable[[Path], Iterator] = partial(
            kul_trials, sounds=Sounds(folder), words=words, repetitions=repetitions
        )
    elif name == "dtu":
        files = dtu_listeners(folder, preprocessed=preprocessed)
        if not files and not preprocessed and dtu_listeners(folder, preprocessed=True):
            fail(f"{folder} holds only the filtered files, such as S1_data_preproc.mat: give --preprocessed")
        wanted = f"{'S1_data_preproc.mat' if preprocessed else 'S1.mat'} and so on, of doi:10.5281/zenodo.1199011"
        trials = (
            partial(dtu_preprocessed_trials, words=words)
            if preprocessed
            else partial(dtu_trials, sounds=Sounds(folder), words=words)
        )
    elif name.lower().endswith(".toml"):
        from earmark.app.config.corpus_map import read_corpus_map
        from earmark.devices.files.corpus_mapped import mapped_listeners, mapped_trials

        mapping = read_corpus_map(Path(name))
        files, wanted = mapped_listeners(folder, mapping), mapping.files
        trials = partial(mapped_trials, sounds=Sounds(folder), mapping=mapping, words=words)
    else:
        fail(f"there is no corpus {name!r}: give kul, dtu, a mapping (FILE.toml), or show")
    if not files:
        fail(f"{folder} and the folders below it have none of the files {wanted}: unpack them there")
    return Reader(files, trials, said)


def _show(path: Path) -> None:
    """Print what a file holds, or the first file of a folder."""
    from earmark.app.terminal.console import console, fail
    from earmark.devices.files.mat_file import read_mat
    from earmark.devices.files.mat_tree import listing

    files = [path]
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.suffix.lower() in (".mat", ".h5", ".hdf5"))
        if not files:
            fail(f"{path} and the folders below it have no .mat, .h5 or .hdf5 file")
    console.print(f"{files[0]}:", highlight=False)
    for line in listing(read_mat(files[0], shapes_only=True)):
        console.print(line, highlight=False)
