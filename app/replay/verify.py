"""Verification of a recording: feeds its input to its own graph again, and compares the output with the live one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from earmark.app.config.session import Config, ConfigError, parse_config
from earmark.app.replay.heard import HeardComparison, heard_or_why
from earmark.devices.files.decoder_folder import folder_fingerprint
from earmark.devices.files.journal import AnswerLine, DecoderCopy, DigestLine, Line
from earmark.devices.files.session_file import Consumed, Noted, Produced, SessionFile
from earmark.devices.files.session_writer import Digest, decision_row
from earmark.pipeline.attention.steering import LAWS
from earmark.pipeline.graph import Graph
from earmark.pipeline.node import NODES
from earmark.pipeline.registry import Registry, RegistryError
from earmark.pipeline.stream import Block, Decision, Item

if TYPE_CHECKING:
    from earmark.app.engine.live_network import RecordedNetwork

#: Largest difference between machines, relative to the largest sample of the output.
TOLERANCE = 1e-9


@dataclass
class Comparison:
    """Comparison of one output with the live one.

    Attributes
    ----------
    n_samples, n_compared : int
        Samples of the replay, and those of them that are in the recording and were compared.
    n_digests, n_wrong : int
        Digests in the recording, and those that do not match the replay.
    first_wrong : float or None
        LSL time of the first digest that does not match.
    difference, largest : float
        Largest absolute difference from the recorded samples, and largest recorded sample, in the unit of the output.
    length_differs : bool
        Whether the replay produced more or fewer samples than were recorded.
    """

    n_samples: int = 0
    n_compared: int = 0
    n_digests: int = 0
    n_wrong: int = 0
    first_wrong: float | None = None
    difference: float = 0.0
    largest: float = 0.0
    length_differs: bool = False

    @property
    def identical(self) -> bool:
        """Whether there are digests, all of them match, and no sample differs."""
        return self.n_digests > 0 and self.n_wrong == 0 and self.difference == 0 and not self.length_differs

    @property
    def close(self) -> bool:
        """Whether all recorded samples agree within :data:`TOLERANCE`."""
        return self.n_compared > 0 and not self.length_differs and self.difference <= TOLERANCE * self.largest


@dataclass
class Replay:
    """A replay of a recording through its own graph.

    Attributes
    ----------
    session : SessionFile
        The recording.
    outputs : dict of str to Comparison
        The comparison of each output; complete after :meth:`run` has returned.
    events : list of (float, Line)
        LSL times and lines of the journal, without digests and answers of a network.
    n_items : int
        Number of items fed to the graph.
    network : RecordedNetwork or None
        The recorded answers, if a compiled network decided.
    heard : HeardComparison or None
        The envelopes computed again from recorded sound, if that was asked for and is possible.
    heard_words : str
        A sentence about it; empty if it was not asked for.
    """

    session: SessionFile
    outputs: dict[str, Comparison] = field(default_factory=dict)
    events: list[tuple[float, Line]] = field(default_factory=list)
    n_items: int = 0
    network: RecordedNetwork | None = None
    heard: HeardComparison | None = None
    heard_words: str = ""

    def run(self, sink: Callable[[str, Item], None] | None = None) -> None:
        """Feed the whole recording to the graph and compare all outputs.

        Parameters
        ----------
        sink : callable, optional
            Called with the name of the output and every item of it.
        """
        graph = self.graph()
        for name in self.session.about.outputs:
            if name not in graph.outputs:
                raise ConfigError(f"{self.session.path} is damaged: its configuration has no output {name!r}")
        digests = {name: Digest() for name in graph.outputs}
        self.outputs = {name: Comparison() for name in graph.outputs}
        given: dict[str, list[np.ndarray]] = {name: [] for name in self.session.about.outputs}
        for event in self.session:
            if isinstance(event, Consumed):
                self.n_items += 1
                for name, item in graph.feed(event.stream, event.item):
                    digests[name].add(item)
                    if isinstance(item, Block | Decision):
                        data = item.data if isinstance(item, Block) else decision_row(item)
                        self.outputs[name].n_samples += len(data)
                        if name in given:
                            given[name].append(data)
                    if sink is not None:
                        sink(name, item)
            elif isinstance(event, Produced):
                self._compare(self.outputs[event.name], given[event.name], event.data)
            elif isinstance(event, Noted):
                self._note(event, digests)

    def hear(self) -> None:
        """Compute the envelopes of talkers again from recorded sound, and compare them with the recorded ones."""
        self.heard, self.heard_words = heard_or_why(self.session)

    def graph(self) -> Graph:
        """Return the open graph of the recording.

        The recorded answers of a compiled network are an input: another machine need not compute them bit for bit.

        Raises
        ------
        ConfigError
            If a decoder or a package is missing or another one, or the recording is not consistent.
        """
        about = self.session.about
        self._check_parts()
        config = parse_config(about.config, f"configuration in {self.session.path}", recorded=about.format)
        self._check_talkers(config)
        graph = config.graph([self._decoder(one) for one in about.decoders])
        specs = config.sources({name: d.spec for name, d in self.session.streams.items()})
        if about.network is not None:
            from earmark.app.engine.live_network import RecordedNetwork, network_of  # torch takes seconds to import

            noted = (event.line for event in SessionFile(self.session.path) if isinstance(event, Noted))
            answers = [line.answer for line in noted if isinstance(line, AnswerLine)]
            network = network_of(config, graph, specs)
            self.network = RecordedNetwork(*network, answers, about.network)
        config.open(graph, specs)
        return graph

    def _check_parts(self) -> None:
        """Refuse a recording with a node or gain law of a package that is not installed; sources are not needed."""
        registries: tuple[Registry[Any], ...] = (NODES, LAWS)
        known = {one.group: one for one in registries}
        for part in self.session.about.parts:
            if part.group not in known:
                continue
            registry = known[part.group]
            try:
                now = registry.part(part.name)
            except RegistryError:
                now = None
            if now is None or now.package != part.package:
                raise ConfigError(
                    f"{self.session.path} was recorded with {registry.what} {part.name!r} of package {part.package} "
                    f"{part.version}, which is not installed: pip install {part.requirement}"
                )

    def _check_talkers(self, config: Config) -> None:
        """Refuse a recording whose number of envelopes differs from its number of named talkers."""
        names, stream = self.session.about.talkers, "" if config.attention is None else config.attention.talkers
        if stream in self.session.streams and names:
            there = self.session.streams[stream].spec.n_channels
            if len(names) != there:
                raise ConfigError(f"{self.session.path} names {len(names)} talkers, but holds envelopes of {there}")

    def _decoder(self, copy: DecoderCopy) -> Path:
        """Return the folder of a decoder next to the recording; refuse a missing one or another fingerprint."""
        path, beside = self.session.path, self.session.path.parent / copy.folder
        if not beside.is_dir():
            raise ConfigError(f"{path} was recorded with a decoder: copy the folder {beside.name} beside it")
        if folder_fingerprint(beside) != copy.sha256:
            raise ConfigError(f"{beside} is not the decoder that {path} was recorded with: copy that one there")
        return beside

    def _compare(self, found: Comparison, given: list[np.ndarray], recorded: np.ndarray) -> None:
        if not given or given[0].shape != recorded.shape:
            found.length_differs = True
            return
        replayed = given.pop(0)
        found.n_compared += len(recorded)
        if not np.array_equal(replayed, recorded, equal_nan=True):
            difference = float(np.max(np.abs(replayed - recorded)))
            found.difference = max(found.difference, difference) if np.isfinite(difference) else np.inf
        finite = recorded[np.isfinite(recorded)]  # missing scores are NaN, the gain of silence is -inf
        found.largest = max(found.largest, float(np.max(np.abs(finite), initial=0.0)))

    def _note(self, note: Noted, digests: dict[str, Digest]) -> None:
        line = note.line
        if isinstance(line, DigestLine) and line.output in digests:
            found, digest = self.outputs[line.output], digests[line.output]
            found.n_digests += 1
            if (line.items, line.digest) != (digest.n_items, digest.hexdigest()):
                found.n_wrong += 1
                found.first_wrong = note.time if found.first_wrong is None else found.first_wrong
        elif not isinstance(line, AnswerLine):
            self.events.append((note.time, line))
