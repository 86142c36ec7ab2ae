"""Every source of ours keeps its contract, and the check of it finds each way of breaking it."""

import threading
import time
import uuid

import numpy as np
import pylsl
import pytest
from amplifier import NAMES, Amplifier
from fieldtrip_server import Acquisition, FieldTripServer
from lab_parts import TcpAmplifier, TcpConfig

from earmark.devices.sources.fieldtrip_inlet import FieldTripConfig, FieldTripInlet
from earmark.devices.sources.lsl import Inlet
from earmark.devices.sources.lsl_description import StreamError, make_info
from earmark.devices.sources.lsl_search import StreamSelector
from earmark.devices.sources.overrides import Overrides
from earmark.devices.sources.source import SOURCES, Arrival, Sender, Source, Wanted, describe
from earmark.pipeline.stream import Block, ClockMap, StreamSpec
from earmark.testing import CheckFailed, check_source


class Repeated(threading.Thread):
    """Calls something every 20 ms, until it is ended."""

    def __init__(self, send):
        super().__init__(daemon=True)
        self.send, self.ended = send, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.02):
            self.send()

    def end(self):
        self.ended.set()
        self.join()


class LslSender:
    """An LSL outlet at 500 Hz that can be taken away and brought back."""

    def __init__(self, source_id):
        self.spec = StreamSpec("amp", 500.0, ("A", "B"), ("eeg",) * 2, ("uV",) * 2)
        self.source_id = source_id
        self.on()

    def on(self):
        outlet = pylsl.StreamOutlet(make_info(self.spec, "EEG", self.source_id))
        self.sender = Repeated(lambda: outlet.push_chunk(np.ones((10, 2), np.float32)))

    def off(self):
        self.sender.end()
        del self.sender


@pytest.fixture
def source_id():
    return f"test-{uuid.uuid4().hex[:12]}"


def test_lsl_inlet_passes(source_id):
    amp = LslSender(source_id)
    words = Overrides(channels=("!B",))
    try:
        check_source(
            lambda sink: Inlet(Wanted("eeg", StreamSelector(source_id=source_id), sink, words)),
            amp.off,
            amp.on,
            lambda sink: Inlet(Wanted("eeg", StreamSelector(source_id=f"not {source_id}"), sink)),
        )
    finally:
        amp.off()


def test_fieldtrip_buffer_passes():
    with FieldTripServer() as server, Acquisition(server.port) as acquisition:
        acquisition.put_header(2, 500.0, "int16", ["Cz", "Pz"])
        sender = Repeated(lambda: acquisition.put(np.ones((10, 2), np.int16)))
        try:
            check_source(
                lambda sink: FieldTripInlet(
                    Wanted("eeg", FieldTripConfig(f"127.0.0.1:{server.port}"), sink, Overrides(unit="0.5 uV"))
                ),
                absent=lambda sink: FieldTripInlet(Wanted("eeg", FieldTripConfig("127.0.0.1:1"), sink)),
            )
        finally:
            sender.end()


def test_amplifier_of_another_package_passes():
    with Amplifier() as amplifier:
        check_source(
            lambda sink: TcpAmplifier(Wanted("eeg", TcpConfig(port=amplifier.port), sink)),
            amplifier.off,
            amplifier.on,
            lambda sink: TcpAmplifier(Wanted("eeg", TcpConfig(port=1), sink)),
        )
    assert len(NAMES) == 3


def test_all_built_in_sources_are_checked():
    assert SOURCES.built_in == ("lsl", "fieldtrip")
    assert SOURCES.get("lsl") is Inlet
    assert SOURCES.get("fieldtrip") is FieldTripInlet


class Good:
    """A source without fault that makes up its samples; what is wrong with each other is what it does otherwise."""

    Config = TcpConfig
    sender: Sender | None = None
    rate = object()
    fmt = "float32"

    def __init__(self, wanted):
        self.wanted, self.status = wanted, "live"
        self.ended, self.gone = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def connect(self, timeout):
        spec = StreamSpec("amp", 250.0, ("A", "B"), ("eeg",) * 2, ("uV",) * 2)
        self.description = describe(spec, "amp", fmt=self.fmt)

    def start(self, hops=()):
        self.at, self.begun = 0, pylsl.local_clock()
        self.thread.start()

    def stop(self):
        self.ended.set()
        if self.thread.ident is not None:
            self.thread.join()

    def tell(self, item, **fields):
        self.wanted.sink(Arrival("eeg", item, pylsl.local_clock(), **fields))

    def clock(self):
        return ClockMap(0.0, self.begun, 1 / 250)

    def block(self, start, n):
        stamps = self.begun + np.arange(start, start + n) / 250
        self.tell(Block(start, np.zeros((n, 2), np.float32)), stamps=stamps)

    def run(self):
        self.tell(self.clock())
        lost = False
        while not self.ended.wait(0.01):
            if self.gone.is_set() != lost:
                lost = self.gone.is_set()
                self.change(lost)
            if not lost:
                self.block(self.at, 5)
                self.at += 5

    def change(self, lost):
        self.status = "lost" if lost else "live"
        self.tell(f"the amplifier is {'gone' if lost else 'back'}")
        if not lost:
            self.leave_gap()

    def leave_gap(self):
        from earmark.pipeline.stream import Gap

        self.tell(Gap(self.at, self.at + 20))
        self.at += 20


def checked(cls, **more):
    gone = threading.Event()

    def make(sink):
        made = cls(Wanted("eeg", TcpConfig(), sink))
        made.gone = gone
        return made

    check_source(make, gone.set, gone.clear, patience=more.pop("patience", 3.0), **more)


def test_a_source_without_fault_passes():
    checked(Good)
    assert isinstance(Good(Wanted("eeg", TcpConfig(), print)), object)
    assert issubclass(TcpAmplifier, object)
    connected = Good(Wanted("eeg", TcpConfig(), print))
    connected.connect(1.0)
    assert isinstance(connected, Source)


class NoSender(Good):
    @property
    def sender(self):
        raise AttributeError("sender")


class NoRate(Good):
    rate = None


class OtherXml(Good):
    def connect(self, timeout):
        super().connect(timeout)
        from dataclasses import replace

        self.description = replace(self.description, sent=self.description.sent.evolve(sfreq=500.0))


class NotLive(Good):
    def connect(self, timeout):
        super().connect(timeout)
        self.status = "connected"


class TooEarly(Good):
    def connect(self, timeout):
        super().connect(timeout)
        self.start()

    def start(self, hops=()):
        if self.thread.ident is None:
            super().start(hops)


class Nothing(Good):
    def block(self, start, n):
        pass


class NoClock(Good):
    def clock(self):
        return None


class WrongRate(Good):
    def clock(self):
        return ClockMap(0.0, self.begun, 1.0)


class OtherClock(Good):
    def clock(self):
        return ClockMap(0.0, 1e9, 1 / 250)


class UnixTime(Good):
    """All its times are of the same clock, but not of LSL's."""

    def start(self, hops=()):
        self.at, self.begun = 0, time.time()
        self.thread.start()

    def tell(self, item, **fields):
        self.wanted.sink(Arrival("eeg", item, time.time(), **fields))


class SkipsSamples(Good):
    def block(self, start, n):
        super().block(start + 10 * (start > 50), n)


class OtherFormat(Good):
    fmt = "int16"


class NoStamps(Good):
    def block(self, start, n):
        self.tell(Block(start, np.zeros((n, 2), np.float32)))


class StampsBackwards(Good):
    def block(self, start, n):
        self.tell(Block(start, np.zeros((n, 2), np.float32)), stamps=self.begun - np.arange(n, dtype=float))


class OtherValues(Good):
    def block(self, start, n):
        stamps = self.begun + np.arange(start, start + n) / 250
        self.tell(Block(start, np.zeros((n, 2))), stamps=stamps, values=np.ones((n, 2), np.float32))


class ManyThreads(Good):
    def block(self, start, n):
        one = threading.Thread(target=super().block, args=(start, n))
        one.start()
        one.join()


class SilentLoss(Good):
    def change(self, lost):
        self.leave_gap()


class NoWords(Good):
    def change(self, lost):
        self.status = "lost" if lost else "live"


class NoGap(Good):
    def leave_gap(self):
        pass


class GoesOn(Good):
    def stop(self):
        threading.Timer(0.1, self.ended.set).start()


class LeavesAThread(Good):
    def start(self, hops=()):
        super().start(hops)
        self.other = threading.Thread(target=time.sleep, args=(5,), daemon=True, name="left over")
        self.other.start()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (NoSender, "connected, it lacks description, rate or sender"),
        (NoRate, "rate must be there"),
        (OtherXml, "description.xml says something else"),
        (NotLive, "its status is 'connected'"),
        (TooEarly, "something arrives before start"),
        (Nothing, "samples come within"),
        (NoClock, "a block comes before any clock map"),
        (WrongRate, "a clock map has a period of 1 s at 250 Hz"),
        (OtherClock, "by its clock map a sample is .* off LSL's clock"),
        (UnixTime, r"the time of an arrival is \d+ s off LSL's clock: take pylsl.local_clock\(\)"),
        (SkipsSamples, "sample .* is to come, but"),
        (OtherFormat, "but the description says int16"),
        (NoStamps, "one finite stamp for each sample"),
        (StampsBackwards, "stamps go back in time"),
        (OtherValues, "a block is not what the description makes"),
        (ManyThreads, "blocks come from several threads"),
        (SilentLoss, "status stays 'live'"),
        (NoWords, "the sender is gone, but no words say so"),
        (NoGap, "the loss leaves no gap"),
        (GoesOn, "something arrives after stop"),
        (LeavesAThread, "threads go on after stop: left over"),
    ],
)
def test_faults_of_a_source_are_found(source, words):
    with pytest.raises(CheckFailed, match=words):
        checked(source, patience=1.0 if source in (Nothing, SilentLoss, NoWords) else 5.0)


class ConnectsToNothing(Good):
    pass


class CrashesOnNothing(Good):
    def connect(self, timeout):
        raise OSError("refused")


class SaysNothing(Good):
    def connect(self, timeout):
        raise StreamError("no")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (ConnectsToNothing, "connect returns"),
        (CrashesOnNothing, r"connect raises OSError \(refused\), but must raise a StreamError"),
        (SaysNothing, "does not say what is missing"),
    ],
)
def test_faults_without_a_sender_are_found(source, words):
    with pytest.raises(CheckFailed, match=words):
        checked(Good, absent=lambda sink: source(Wanted("eeg", TcpConfig(), sink)))


class SaysLittle(Good):
    def connect(self, timeout):
        raise StreamError("no amplifier")


class CrashesInConnect(Good):
    def connect(self, timeout):
        self.description = None.spec


def test_a_short_message_is_enough():
    checked(Good, absent=lambda sink: SaysLittle(Wanted("eeg", TcpConfig(), sink)))


def make_good(sink):
    return Good(Wanted("eeg", TcpConfig(), sink))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((Good,), "it was given the class Good, but make must be a function that makes a source from a sink: lambda"),
        ((Good(Wanted("eeg", TcpConfig(), print)),), "it was given an instance of Good, but make must be a function"),
        ((make_good, None, None, Good), "it was given the class Good, but absent must be a function"),
        ((make_good, lambda: None), "give both interrupt and resume, or neither"),
        (
            (lambda sink: CrashesInConnect(Wanted("eeg", TcpConfig(), sink)),),
            r"^CrashesInConnect: AttributeError \(.*\) in the check 'describes itself'",
        ),
    ],
)
def test_what_makes_no_source_is_refused_in_plain_words(given, words):
    with pytest.raises(CheckFailed, match=words):
        check_source(*given)
