"""Check a source against :class:`earmark.devices.sources.source.Source`, on an instance that receives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pylsl

from earmark.devices.sources.lsl_description import DTYPES, StreamError, describe_xml
from earmark.devices.sources.source import Arrival, Source
from earmark.pipeline.stream import Block, ClockMap, Gap
from earmark.testing.failure import CheckFailed, demand, gives_a_reason, run_checks

#: Seconds between polls, of silence after which a source has stopped, and maximum offset of times from LSL's clock.
LOOK_S, QUIET_S, OFF_S = 0.01, 0.4, 60.0
#: Seconds of the stream to examine.
ENOUGH_S = 1.0


def check_source(
    make: Callable[[Callable[[Arrival], None]], Source],
    interrupt: Callable[[], object] | None = None,
    resume: Callable[[], object] | None = None,
    absent: Callable[[Callable[[Arrival], None]], Source] | None = None,
    patience: float = 20.0,
) -> None:
    """Check a class of sources, on an instance that a sender serves during the check.

    Parameters
    ----------
    make : callable
        Makes a new, unconnected source from a sink: ``lambda sink: MySource(Wanted("eeg", config, sink))``.
    interrupt, resume : callable, optional
        Stop the sender, and restart it: checks that the loss is reported, and that samples continue after a gap.
    absent : callable, optional
        Like ``make``, but for an address without a sender.
    patience : float
        Maximum wait for anything, s.

    Raises
    ------
    CheckFailed
        At the first check that fails.
    """
    _demand_maker(make, "make")
    if absent is not None:
        _demand_maker(absent, "absent")
    if (interrupt is None) != (resume is None):
        raise CheckFailed("check_source: give both interrupt and resume, or neither")
    check = _Check(make, patience)
    checks = [check.can_be_let_go_before_it_is_connected, check.describes_itself, check.hands_on_samples]
    if interrupt is not None and resume is not None:
        check.interrupt, check.resume = interrupt, resume
        checks.append(check.says_that_the_sender_was_lost)
    try:
        run_checks([*checks, check.stops], lambda: check.name)
    finally:
        check.end()
    if absent is not None:
        check.absent = absent
        run_checks([check.refuses_in_words], lambda: check.name)


def _demand_maker(given: object, argument: str) -> None:
    """Raise unless a function was given that makes a source from a sink, in place of a class or a source."""
    wanted = f"but {argument} must be a function that makes a source from a sink: lambda sink: "
    if isinstance(given, type):
        name = given.__name__
        raise CheckFailed(
            f"check_source: it was given the class {name}, {wanted}{name}(Wanted('eeg', {name}.Config(...), sink))"
        )
    if not callable(given):
        name = type(given).__name__
        raise CheckFailed(
            f"check_source: it was given an instance of {name}, {wanted}{name}(Wanted('eeg', config, sink))"
        )


class _Check:
    interrupt: Callable[[], object]
    resume: Callable[[], object]
    absent: Callable[[Callable[[Arrival], None]], Source]

    def __init__(self, make: Callable[[Callable[[Arrival], None]], Source], patience: float) -> None:
        self.make, self.patience = make, patience
        self.arrivals: list[tuple[Arrival, threading.Thread]] = []
        self.off = 0.0  # largest difference between the time of an arrival and LSL's clock on receipt
        self.source: Source | None = None
        self.before = set(threading.enumerate())

    @property
    def name(self) -> str:
        return "source" if self.source is None else type(self.source).__name__

    def demand(self, fine: object, found: str) -> None:
        demand(fine, self.name, found)

    def sink(self, arrival: Arrival) -> None:
        self.off = max(self.off, arrival.time - pylsl.local_clock(), key=abs)
        self.arrivals.append((arrival, threading.current_thread()))

    def end(self) -> None:
        if self.source is not None:
            self.source.stop()

    def can_be_let_go_before_it_is_connected(self) -> None:
        self.make(self.sink).stop()

    def describes_itself(self) -> None:
        self.source = source = self.make(self.sink)
        for name in ("Config", "connect", "start", "stop", "status"):
            self.demand(hasattr(source, name), f"there is no {name}")
        source.connect(self.patience)
        self.demand(isinstance(source, Source), "connected, it lacks description, rate or sender")
        about = source.description
        try:
            read = describe_xml(about.xml)
        except StreamError as error:
            raise CheckFailed(
                f"{type(source).__name__}: description.xml cannot be read: {error}. See describe"
            ) from None
        self.demand(read.sent == about.sent, "description.xml says something else than description: see describe")
        self.demand(source.status == "live", f"connected, its status is {source.status!r}, but must be 'live'")
        self.demand(
            bool(source.rate) == bool(about.spec.sfreq), "rate must be there for a regular stream, and only there"
        )
        time.sleep(QUIET_S)
        self.demand(not self.arrivals, "something arrives before start")

    def hands_on_samples(self) -> None:
        assert self.source is not None
        self.source.start((max(1, round(0.02 * self.source.description.spec.sfreq)),))
        wanted = max(2.0, ENOUGH_S * self.source.description.spec.sfreq)
        self._wait(lambda: self._n_samples() >= wanted, f"fewer than {wanted:.0f} samples come")
        self._look()

    def says_that_the_sender_was_lost(self) -> None:
        source, seen = self.source, len(self.arrivals)
        assert source is not None
        self.interrupt()
        self._wait(lambda: source.status != "live", "the sender is gone, but status stays 'live'")
        self._wait(lambda: self._words(seen), "the sender is gone, but no words say so: hand on a string")
        there = set(threading.enumerate())
        self.resume()
        self.before |= set(threading.enumerate()) - there  # threads of the sender
        self._wait(lambda: source.status == "live", "the sender is back, but status is not 'live'")
        words = len(self.arrivals)
        self._wait(lambda: self._words(seen, 2), "the sender is back, but no words say so: hand on a string")
        n = self._n_samples()
        self._wait(lambda: self._n_samples() > n or len(self.arrivals) > words + 50, "no samples come after that")
        self.demand(any(isinstance(a.item, Gap) for a, _ in self.arrivals[seen:]), "the loss leaves no gap")
        self._look()

    def stops(self) -> None:
        assert self.source is not None
        self.source.stop()
        n = len(self.arrivals)
        time.sleep(QUIET_S)
        self.demand(len(self.arrivals) == n, "something arrives after stop has returned")
        self.source.stop()
        left = [t.name for t in threading.enumerate() if t not in self.before and t.is_alive()]
        self.demand(not left, f"threads go on after stop: {', '.join(left)}")

    def refuses_in_words(self) -> None:
        source = self.absent(self.sink)
        try:
            source.connect(0.5)
        except StreamError as error:
            self.demand(gives_a_reason(error), f"it does not say what is missing: {str(error)!r}")
        except Exception as error:
            raise CheckFailed(
                f"{type(source).__name__}: where there is no sender, connect raises {type(error).__name__} ({error}), "
                "but must raise a StreamError that says what is missing and what to do"
            ) from error
        else:
            raise CheckFailed(f"{type(source).__name__}: where there is no sender, connect returns")
        finally:
            source.stop()

    # Shared by the checks

    def _n_samples(self) -> int:
        return sum(len(a.item.data) for a, _ in list(self.arrivals) if isinstance(a.item, Block))

    def _words(self, seen: int, n: int = 1) -> bool:
        return sum(isinstance(a.item, str) for a, _ in self.arrivals[seen:]) >= n

    def _wait(self, until: Callable[[], object], what: str) -> None:
        end = time.monotonic() + self.patience
        while not until():
            self.demand(time.monotonic() < end, f"{what} within {self.patience:g} s")
            time.sleep(LOOK_S)

    def _look(self) -> None:
        """Examine everything that has arrived."""
        assert self.source is not None
        about, arrivals = self.source.description, list(self.arrivals)
        sfreq, dtype = about.spec.sfreq, DTYPES[about.format]
        threads = {thread for arrival, thread in arrivals if isinstance(arrival.item, Block)}
        self.demand(len(threads) <= 1, "blocks come from several threads: hand on from one")
        self.demand(
            abs(self.off) < OFF_S,
            f"the time of an arrival is {self.off:.0f} s off LSL's clock: take pylsl.local_clock() when data arrive",
        )
        clock: ClockMap | None = None
        following, last = 0, -np.inf
        for arrival, _ in arrivals:
            item: Any = arrival.item
            self.demand(arrival.time >= last, "arrivals go back in time")
            last = arrival.time
            if isinstance(item, ClockMap):
                clock = item
                ratio = item.period * sfreq * about.speed
                self.demand(0.5 < ratio < 2, f"a clock map has a period of {item.period:g} s at {sfreq:g} Hz")
            if isinstance(item, Gap | Block):
                self.demand(item.start == following, f"sample {following} is to come, but {item.start} does")
                following = item.stop
            if not isinstance(item, Block):
                continue
            if clock is None:
                raise CheckFailed(f"{type(self.source).__name__}: a block comes before any clock map")
            off = clock.time(item.stop - 1) - arrival.time
            self.demand(abs(off) < OFF_S, f"by its clock map a sample is {off:.0f} s off LSL's clock")
            sent = item.data if arrival.values is None else np.asarray(arrival.values)
            self.demand(
                sent.dtype == np.dtype(dtype) and sent.shape == (len(item.data), about.sent.n_channels),
                f"samples as sent are {sent.dtype} {sent.shape}, but the description says {about.format} and "
                f"{about.sent.n_channels} channels: a recording of them could not be read",
            )
            self.demand(
                np.array_equal(about.take(sent), item.data, equal_nan=True),
                "a block is not what the description makes of samples as sent: give these as values",
            )
            stamps = arrival.stamps
            self.demand(
                stamps is not None and np.shape(stamps) == (len(item.data),) and np.isfinite(stamps).all(),
                "a block must have one finite stamp for each sample",
            )
            assert stamps is not None
            # Between blocks they may: stamps derived from arrivals jitter, and only the clock map is smooth.
            self.demand(np.all(np.diff(stamps) >= 0), "stamps go back in time within a block")
