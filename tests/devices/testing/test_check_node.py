"""Every node of ours keeps its contract, and the check of it finds each way of breaking it."""

import time
from dataclasses import dataclass

import numpy as np
import pytest
from lab_parts import Drift, DriftConfig

from earmark.pipeline.node import NODES
from earmark.pipeline.stream import Block, ClockMap, Gap, StreamSpec, WiringError
from earmark.testing import CheckFailed, check_node
from earmark.testing.nodes import HOPS, MARKERS, RAGGED

SPEECH = StreamSpec("speech", 64.0, ("a", "b"), ("misc",) * 2, ("",) * 2, hop=2)
SOUND = StreamSpec("sound", 4000.0, ("left",), ("misc",), ("",), hop=80)
SEEG = StreamSpec("seeg", 1000.0, ("A1", "A2", "A3"), ("seeg",) * 3, ("uV",) * 3, hop=20)
#: Streams for those that take no EEG, or more than one stream.
SPECS = {
    "align": [HOPS.evolve(sfreq=64.0, hop=2), SPEECH],
    "envelope": [SOUND],
    "epochs": [HOPS, MARKERS],
    "high_gamma": [SEEG],
}


@pytest.mark.parametrize("kind", NODES.built_in)
def test_every_built_in_node_passes(kind):
    check_node(NODES.get(kind), specs=SPECS.get(kind))


def test_node_of_another_package_passes():
    check_node(Drift, DriftConfig(seconds=2.0))


@dataclass(frozen=True)
class Config:
    scale: float = 2.0


class Good:
    """A node without fault; what is wrong with each of the others is what it does otherwise."""

    Config = Config
    n_inputs = 1

    def __init__(self, config):
        self.config = config

    def open(self, spec):
        self.total = np.zeros(spec.n_channels)
        return spec

    def process(self, item, port=0):
        if isinstance(item, Block):
            data = np.cumsum(np.vstack([self.total, self.config.scale * item.data]), axis=0)[1:]
            self.total = data[-1].copy()
            item = Block(item.start, data, item.bad)
        elif isinstance(item, Gap):
            self.total = np.zeros_like(self.total)
        yield item

    def state(self):
        return {"total": self.total.copy()}

    def restore(self, state):
        self.total = state["total"].copy()


def test_a_node_without_fault_passes():
    check_node(Good)
    check_node(Good, Config(3.0), [HOPS])
    check_node(Good, specs=[RAGGED])


class NotFrozen(Good):
    @dataclass
    class Config:
        scale: float = 2.0


class NoState(Good):
    state = None


class OtherConfig(Good):
    def __init__(self, config):
        self.config = Config(9.0)


class NoInputs(Good):
    n_inputs = 0


class Remembers(Good):
    total = np.zeros(4)

    def open(self, spec):
        return spec

    def process(self, item, port=0):
        yield from [item] if isinstance(item, Gap) else super().process(item)


class Undecided(Good):
    opened = 0

    def open(self, spec):
        self.opened += 1
        return super().open(spec).evolve(delay=float(self.opened))


class NoSpec(Good):
    def open(self, spec):
        super().open(spec)


class OtherChannels(Good):
    def open(self, spec):
        return super().open(spec).pick([0])


class TooLong(Good):
    def open(self, spec):
        return super().open(spec).evolve(hop=3)


class Float32(Good):
    def open(self, spec):
        return super().open(spec).evolve(hop=100)

    def process(self, item, port=0):
        for out in super().process(item):
            yield Block(out.start, out.data.astype(np.float32)) if isinstance(out, Block) else out


class SwallowsGaps(Good):
    def process(self, item, port=0):
        for out in super().process(item):
            if not isinstance(out, Gap):
                yield out


class SwallowsGapsAndCounts(Good):
    """Goes on counting as if nothing had been missing."""

    def open(self, spec):
        self.at = 0
        return super().open(spec)

    def process(self, item, port=0):
        for out in super().process(item):
            if isinstance(out, Block):
                self.at += len(out.data)
                yield Block(self.at - len(out.data), out.data)
            elif not isinstance(out, Gap):
                yield out

    def state(self):
        return super().state() | {"at": np.array(self.at)}

    def restore(self, state):
        super().restore(state)
        self.at = int(state["at"])


class SwallowsClock(Good):
    def process(self, item, port=0):
        for out in super().process(item):
            if not isinstance(out, ClockMap):
                yield out


class SwallowsMarkers(Good):
    def process(self, item, port=0):
        for out in super().process(item):
            if isinstance(out, Block | Gap | ClockMap):
                yield out


class Draws(Good):
    def process(self, item, port=0):
        for out in super().process(item):
            yield Block(out.start, out.data + np.random.normal()) if isinstance(out, Block) else out  # noqa: NPY002


class ReadsAClock(Good):
    def process(self, item, port=0):
        for out in super().process(item):
            yield Block(out.start, out.data + time.perf_counter()) if isinstance(out, Block) else out


class PerBlock(Good):
    """Adds what depends on the length of a block, to samples before it alone."""

    def process(self, item, port=0):
        for out in super().process(item):
            yield Block(out.start, out.data + len(out.data)) if isinstance(out, Block) else out


class MeanOfBlock(Good):
    """Takes off the mean of each block: with fixed blocks too, its first sample then knows the last."""

    def process(self, item, port=0):
        if isinstance(item, Block):
            item = Block(item.start, item.data - item.data.mean(axis=0))
        yield from super().process(item)


class ForgetsState(Good):
    def restore(self, state):
        self.total = np.zeros(4)


class StateOfLists(Good):
    def state(self):
        return {"total": list(self.total)}


class SharesState(Good):
    def process(self, item, port=0):
        if isinstance(item, Block):
            before = self.total
            yield from super().process(item)
            before[:] = self.total
            self.total = before
        else:
            yield from super().process(item)

    def state(self):
        return {"total": self.total}


class TakesStateOver(SharesState):
    def state(self):
        return {"total": self.total.copy()}

    def restore(self, state):
        self.total = state["total"]


class InPlace(Good):
    def process(self, item, port=0):
        if isinstance(item, Block):
            data = item.data
            data *= 2.0
        yield from super().process(item)


class UsesItsOutputAgain(Good):
    def process(self, item, port=0):
        for out in super().process(item):
            if isinstance(out, Block):
                if not hasattr(self, "buffer"):
                    self.buffer = np.zeros((1000, 4))
                self.buffer[: len(out.data)] = out.data
                yield Block(out.start, self.buffer[: len(out.data)])
            else:
                yield out


class Crashes(Good):
    def open(self, spec):
        self.period = 1 / spec.sfreq
        return super().open(spec)


class CrashesInProcess(Good):
    def process(self, item, port=0):
        yield {}["scale"]


class BriefRefusal(Good):
    def open(self, spec):
        if not spec.sfreq:
            raise WiringError("no rate")
        return super().open(spec)


def test_a_short_message_is_enough():
    check_node(BriefRefusal)


class TerseRefusal(Good):
    def open(self, spec):
        if not spec.sfreq:
            raise WiringError("no")
        return super().open(spec)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (NotFrozen, "Config must be a dataclass with frozen=True"),
        (NoState, "state"),
        (OtherConfig, "config is not what it was made from"),
        (NoInputs, "n_inputs is 0"),
        (Remembers, "has not forgotten what came before"),
        (Undecided, "opened again, it gives another spec"),
        (NoSpec, "must give a StreamSpec"),
        (OtherChannels, "a block has shape .* but its spec says 1 channels"),
        (TooLong, "but hop is 3"),
        (Float32, "is float32, but must be float64"),
        (SwallowsGaps, "samples .* on are to come"),
        (SwallowsGapsAndCounts, "a gap of the input leaves no gap"),
        (SwallowsClock, "a block comes before any clock map"),
        (SwallowsMarkers, "a marker must be passed on"),
        (Draws, "it draws or reads a clock|has not forgotten"),
        (ReadsAClock, "it draws or reads a clock|has not forgotten"),
        (PerBlock, "depends on how the input was cut"),
        (MeanOfBlock, "depends on how the input was cut"),
        (ForgetsState, "restored from its state, it goes on otherwise"),
        (StateOfLists, "must be a dict of NumPy arrays"),
        (SharesState, "what state gave changes"),
        (TakesStateOver, "changes the state it was given"),
        (InPlace, "it changes the samples it was given"),
        (UsesItsOutputAgain, "writes again to memory"),
        (Crashes, "open raises ZeroDivisionError"),
        (TerseRefusal, "without saying why"),
        (CrashesInProcess, r"KeyError \('scale'\) in the check 'opens alike'"),
    ],
)
def test_faults_of_a_node_are_found(node, words):
    with pytest.raises(CheckFailed, match=words) as error:
        check_node(node)
    assert str(error.value).startswith(node.__name__)


def test_a_look_into_the_future_within_fixed_blocks_is_found():
    with pytest.raises(CheckFailed, match=r"changes with input sample .* which comes later"):
        check_node(MeanOfBlock, specs=[HOPS])


def test_missing_settings_are_requested():
    with pytest.raises(CheckFailed, match=r"Config needs settings .*seconds.*give check_node a config"):
        check_node(Drift)


def test_unsuitable_specs_are_reported():
    with pytest.raises(CheckFailed, match=r"it cannot be opened: drift: input is .*Give check_node other specs"):
        check_node(Drift, DriftConfig(1.0), [MARKERS])
    with pytest.raises(CheckFailed, match="it has 1 inputs, but 2 specs"):
        check_node(Good, specs=[HOPS, HOPS])


@pytest.mark.parametrize(
    ("given", "more", "words"),
    [
        (Good(Config()), {}, r"it was given an instance of Good, but needs the class of the node: check_node\(Good\)"),
        (Good, {"config": Config}, r"given the class Config as config, but needs an instance: .*Config\(...\)"),
        (Good, {"specs": RAGGED}, "specs is one StreamSpec, but must be a list with one for each input"),
    ],
)
def test_what_is_not_a_class_of_nodes_is_refused_in_plain_words(given, more, words):
    with pytest.raises(CheckFailed, match=words):
        check_node(given, **more)
