"""Shows the signal of the electrodes while nothing is recorded, so that a cap can be fitted before the first check."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import tomlkit

from earmark.app.config.session import Config, parse_config
from earmark.app.engine.child import EngineJob
from earmark.app.engine.process import EngineProcess
from earmark.app.status import EngineProcessStatus, EngineStatus, StatusBoard
from earmark.devices.files.journal import About, about_text
from earmark.devices.processes.shared_memory import discard
from earmark.devices.sources.lsl_search import StreamSelector
from earmark.kernels.errors import EarmarkError
from earmark.pipeline.stream import ELECTRODES

#: Seconds between looks at the process, and from its end to the next start.
POLL_S, AGAIN_S = 0.1, 2.0
#: Seconds for which the stream is looked for: until somebody switches the amplifier on.
PATIENCE_S = 86_400.0


def watching(config: Config) -> Config:
    """Return a configuration with the stream of electrodes alone, and a graph that only assesses its channels.

    Channels that are marked as bad are assessed like the others, to show when they are good again.
    """
    assert config.attention is not None
    neural = config.attention.neural
    source = tomlkit.parse(config.text)
    stream = source["streams"][neural]  # type: ignore[index]
    assert isinstance(stream, MutableMapping)  # a Config has been checked
    stream.pop("bads", None)
    return _assessing(neural, stream, config.where or "the session", config.folder)


def viewing(stream: StreamSelector) -> Config:
    """Return a configuration with a graph that only assesses the electrodes of an LSL stream.

    Raises
    ------
    ConfigError
        If ``stream`` has neither a name, nor a type, nor a source_id.
    """
    table = {key: value for key, value in asdict(stream).items() if value}
    return _assessing("eeg", table, "the stream", Path())


def _assessing(name: str, stream: Mapping[str, Any], where: str, folder: Path) -> Config:
    document = tomlkit.document()
    document["streams"] = {name: stream}
    document["nodes"] = [
        {"type": "pick", "types": list(ELECTRODES), "input": name},
        {"type": "reblock"},
        {"type": "quality"},
    ]
    document["engine"] = {"resolve_s": PATIENCE_S}
    return parse_config(tomlkit.dumps(document), where, folder)


class Monitor:
    """An engine process that neither decides nor records, while :attr:`active`; it is started again when it ends.

    Parameters
    ----------
    config : Config
        Of :func:`watching` or :func:`viewing`.
    on_event : callable
        Called with a text if the signal cannot be shown, on the thread of this object.
    """

    def __init__(self, config: Config, on_event: Callable[[str], None]) -> None:
        self._config, self._on_event, self._said = config, on_event, ""
        self._status = EngineProcessStatus(False, None, 0, "")
        #: Names of the electrodes; empty until the stream was found.
        self.ch_names: tuple[str, ...] = ()
        self._wanted, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="monitor", daemon=True)
        self._thread.start()

    @property
    def active(self) -> bool:
        """Whether the signal is to be shown; a change takes effect within a fraction of a second."""
        return self._wanted.is_set()

    @active.setter
    def active(self, on: bool) -> None:
        if on:
            self._wanted.set()
        else:
            self._wanted.clear()

    @property
    def process(self) -> EngineProcessStatus:
        """Status of the process; it is alive once it has found the stream."""
        return self._status

    def close(self) -> None:
        """End the process for good."""
        self._closed.set()
        self._wanted.set()
        self._thread.join()

    def _work(self) -> None:
        while self._wanted.wait() and not self._closed.is_set():
            try:
                self._show()
            except (EarmarkError, OSError) as error:  # there is no room for another process, or for its memory
                self._say(str(error))
            if self._wanted.is_set() and self._said:
                self._closed.wait(AGAIN_S)

    def _show(self) -> None:
        """Show the signal until the process ends, or it is not wanted any more."""
        board = StatusBoard(EngineStatus)
        process = EngineProcess()
        try:
            self._status = EngineProcessStatus(False, process.pid, 0, board.name)
            self._talk(process, board)
        finally:
            self._status = EngineProcessStatus(False, None, 0, "")
            process.kill()
            status = board.read()
            discard("" if status is None else status.signals)
            board.close()

    def _talk(self, process: EngineProcess, board: StatusBoard[EngineStatus]) -> None:
        config = self._config
        folder, about = str(config.folder.resolve()), about_text(About(config.text))
        process.work(EngineJob(config.text, folder, about, "", board.name, {}, config.where))
        while self._wanted.is_set() and not self._closed.is_set():
            if (status := board.read()) is not None:
                self.ch_names = status.ch_names
            alive = process.alive  # read first: it sends its last messages before it ends
            match process.receive(POLL_S):
                case ["connected", _]:
                    process.begin("")
                case ["begun"]:
                    self._said = ""
                    self._status = replace(self._status, alive=True)
                case ["refused", _, why] | ["ended", why]:
                    self._say(why)
                    return
                case None if not alive:
                    self._say(f"its process ended with exit code {process.exit_code}")
                    return

    def _say(self, why: str) -> None:
        if why != self._said:
            self._said = why
            self._on_event(f"The signal cannot be shown: {why}")
