"""Offer our filtered stream to MNE-realtime as a client, so that its RtEpochs can be used.

MNE-realtime is no longer developed, so as little as possible depends on it, and it is imported on first use.
"""

from __future__ import annotations

import logging
import threading
from bisect import insort
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from earmark.devices.sources.fieldtrip import import_realtime
from earmark.devices.sources.lsl_description import StreamError
from earmark.pipeline.stream import ELECTRODES, Block, Gap, StreamSpec, wiring_error
from earmark.pipeline.units import microvolts

log = logging.getLogger(__name__)

#: Name of the channel with event codes: the default of RtEpochs.
STIM = "STI 014"
#: Maximum number of markers that wait for their samples; further ones are refused.
MAX_PENDING = 1024

Callback = Callable[[NDArray[np.float64]], None]


class RealtimeClient:
    """A stream of blocks and markers for MNE-realtime.

    A thread delivers samples, beginning with the first block pushed after :meth:`start_receive_thread`, in buffers of
    equal size: RtEpochs misplaces events if sizes change. Electrode channels are in volts, others unchanged, and
    ``STI 014`` holds the code of a marker for one sample (leave RtEpochs' ``min_duration`` at 0).

    RtEpochs counts samples from the first one delivered: add :attr:`first_index` to its events. That holds for an
    RtEpochs that existed from the start; give each one a client of its own.

    Missing samples are delivered as NaN, so that the count stays right: an epoch that overlaps a gap contains NaN, and
    :func:`rt_epochs` drops it. Samples dropped because the receiver was too slow (``dropped_samples``) are missing,
    too.

    A marker is lost, which is logged and counted (``lost_markers``), if its sample was delivered already, is the same
    as that of another marker or next to it, or if too many wait. RtEpochs itself finds no event at the very first
    sample, and drops events with too few samples before them.

    Parameters
    ----------
    spec : StreamSpec
        The stream.
    event_id : mapping of str to int
        Code, above 0, of every marker value to deliver. Markers with other values are left out.
    buffer_size : int
        Samples per delivered buffer.
    late_s : float
        Maximum delay of a marker after its sample: samples are held back for this long.
    backlog_s : float
        Maximum seconds of further samples that are held for a slow receiver; beyond, the oldest are dropped.

    Attributes
    ----------
    info : mne.Info
        Channels, with positions if known, and ``STI 014``.
    verbose : str
        Verbosity of RtEpochs: if not set, it writes to standard output.

    Raises
    ------
    WiringError
        If the stream or a setting cannot be used.
    """

    verbose = "WARNING"

    def __init__(
        self,
        spec: StreamSpec,
        event_id: Mapping[str, int],
        buffer_size: int,
        late_s: float = 0.5,
        backlog_s: float = 10.0,
    ) -> None:
        self.event_id, self.buffer_size = dict(event_id), buffer_size
        if not spec.sfreq > 0:
            raise wiring_error("realtime client", "input", f"{spec.name!r} of irregular rate", "regularly sampled")
        if buffer_size < 1:
            raise wiring_error("realtime client", "buffer_size", buffer_size, "at least 1")
        if not all(isinstance(code, int) and 0 < code < 2**31 for code in self.event_id.values()):
            raise wiring_error("realtime client", "event_id", self.event_id, "codes from 1 to 2147483647")
        self._factor = np.array([_factor(spec, i) for i in range(spec.n_channels)])
        self.info = _info(spec)
        self._late = round(late_s * spec.sfreq)
        self._limit = self._late + round(backlog_s * spec.sfreq)
        self.lost_markers = self.dropped_samples = 0
        self._callbacks: list[Callback] = []
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None
        self._changed = threading.Condition()
        self._clear()

    def _clear(self) -> None:
        self._stopping = False
        self._end: int | None = None  # index after the newest sample pushed
        self._blocks: deque[tuple[int, NDArray[np.float64]]] = deque()
        self._n_held = 0
        self._dropping = False
        self._pending: list[tuple[int, int]] = []  # index and code, in order
        self._last_marker = -2  # index of the newest marker delivered
        self._first: int | None = None
        self._next = 0  # index of the next sample to deliver

    @property
    def first_index(self) -> int | None:
        """Index of the first sample delivered; None before that."""
        return self._first

    def push(self, item: Block | Gap, markers: Sequence[tuple[int, str]] = ()) -> None:
        """Add a block or gap, and markers; never waits, and does nothing while nothing receives.

        Parameters
        ----------
        item : Block or Gap
            The next item of the stream. Gaps may be left out: they follow from the indices.
        markers : sequence of (int, str)
            Sample index and value of each marker. A marker may come before its samples, or after them as long as they
            have not been delivered.

        Raises
        ------
        ValueError
            If the block has other channels, or the item precedes earlier ones.
        """
        data = item.data if isinstance(item, Block) else None
        if data is not None and (data.ndim != 2 or data.shape[1] != len(self._factor)):
            expected = f"the stream has {len(self._factor)} channels"
            raise ValueError(f"realtime client: block of shape {data.shape}, but {expected}")
        with self._changed:
            if self._thread is None or self._stopping:
                return
            if self._end is not None and item.start < self._end:
                raise ValueError(f"realtime client: samples from {item.start} on, but {self._end} comes next")
            self._end = item.stop
            for index, value in markers:
                if value in self.event_id:
                    self._place(index, self.event_id[value])
            if data is not None and len(data):
                self._blocks.append((item.start, data * self._factor))
                self._n_held += len(data)
                self._drop()
            self._changed.notify()

    def _drop(self) -> None:
        overdue = self._n_held > self._limit and len(self._blocks) > 1
        if overdue and not self._dropping:
            log.warning("realtime client: the receiver is too slow, samples from %d on dropped", self._blocks[0][0])
        self._dropping = overdue
        while self._n_held > self._limit and len(self._blocks) > 1:
            n = len(self._blocks.popleft()[1])
            self._n_held -= n
            self.dropped_samples += n

    def _place(self, index: int, code: int) -> None:
        reason = ""
        if index < self._next:
            reason = "its sample was handed on already"
        elif index - self._last_marker < 2 or any(abs(index - other) < 2 for other, _ in self._pending):
            reason = "another is at the same sample or next to it"
        elif len(self._pending) >= MAX_PENDING:
            reason = f"{MAX_PENDING} wait for their samples"
        if reason:
            self._lose(1, f"code {code} at sample {index}: {reason}")
        else:
            insort(self._pending, (index, code))

    def _lose(self, n: int, words: str) -> None:
        self.lost_markers += n
        log.warning("realtime client: marker lost, %s", words)

    # Interface that RtEpochs expects of a client

    def get_measurement_info(self) -> Any:
        """Return the :class:`mne.Info` of the buffers."""
        return self.info

    def register_receive_callback(self, callback: Callback) -> None:
        """Call ``callback`` with every buffer, shape (n_channels + 1, buffer_size)."""
        with self._changed:
            if callback not in self._callbacks:
                self._callbacks.append(callback)

    def unregister_receive_callback(self, callback: Callback) -> None:
        """No longer call ``callback``."""
        with self._changed:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

    def start_receive_thread(self, nchan: int) -> None:
        """Start to deliver blocks pushed from now on; ``nchan`` includes ``STI 014``.

        Raises
        ------
        ValueError
            If ``nchan`` is not the number of channels of the buffers.
        """
        if nchan != len(self.info["chs"]):
            raise ValueError(f"realtime client: {nchan} channels asked for, but there are {len(self.info['chs'])}")
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._clear()
                self._thread = threading.Thread(target=self._run, name="realtime client", daemon=True)
                self._thread.start()

    def stop_receive_thread(self, stop_measurement: bool = False) -> None:
        """Stop the delivery; undelivered samples are discarded. ``stop_measurement`` has no effect.

        Raises
        ------
        StreamError
            If the thread had already ended because a receiver failed.
        """
        with self._changed:
            thread, self._stopping = self._thread, True
            self._changed.notify()
        if thread is threading.current_thread():
            return
        if thread is not None:
            thread.join()
        with self._changed:
            self._thread, failure, self._failure = None, self._failure, None
        if failure is not None:
            raise StreamError(f"realtime client: a receiver failed: {failure!r}") from failure

    # Delivery, on the thread

    def _run(self) -> None:
        buffer = np.zeros((len(self._factor) + 1, self.buffer_size))
        filled = 0
        try:
            while (taken := self._take()) is not None:
                start, data = taken
                if self._first is None:
                    with self._changed:
                        self._first = self._next = start
                missing = start - self._next - filled
                done = -missing  # negative: number of samples to fill with NaN
                while done < len(data) and not self._stopping:
                    n = min(self.buffer_size - filled, -done if done < 0 else len(data) - done)
                    buffer[:-1, filled : filled + n] = np.nan if done < 0 else data[done : done + n].T
                    filled += n
                    done += n
                    if filled == self.buffer_size:
                        self._hand_on(buffer.copy())
                        filled = 0
        except Exception as error:
            log.exception("realtime client: a receiver failed")
            with self._changed:
                self._failure, self._stopping = error, True
                self._blocks.clear()

    def _take(self) -> tuple[int, NDArray[np.float64]] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._ripe())
            if self._stopping:
                return None
            block = self._blocks.popleft()
            self._n_held -= len(block[1])
            return block

    def _ripe(self) -> bool:
        if not self._blocks or self._end is None:
            return False
        start, data = self._blocks[0]
        return self._end - (start + len(data)) >= self._late

    def _hand_on(self, buffer: NDArray[np.float64]) -> None:
        with self._changed:
            start = self._next
            self._next += self.buffer_size
            n_early = sum(index < start for index, _ in self._pending)
            n_due = sum(index < self._next for index, _ in self._pending)
            due, self._pending = self._pending[n_early:n_due], self._pending[n_due:]
            if n_early:
                self._lose(n_early, f"{n_early} at samples before the first, {start}")
            for index, code in due:
                buffer[-1, index - start] = code
                self._last_marker = index
            callbacks = list(self._callbacks)
        for callback in callbacks:
            callback(buffer)


def _factor(spec: StreamSpec, i: int) -> float:
    """Return volts per unit of a channel; 1 for channels that are not electrodes."""
    if spec.ch_types[i] not in ELECTRODES:
        return 1.0
    factor = microvolts(spec.units[i])
    if factor is None:
        found = f"{spec.units[i]!r} on channel {spec.ch_names[i]!r} of {spec.name!r}"
        raise wiring_error("realtime client", "unit", found, "V, mV, uV or nV")
    return factor * 1e-6


def _info(spec: StreamSpec) -> Any:
    import mne

    if STIM in spec.ch_names:
        found = f"{STIM!r} of {spec.name!r}"
        raise wiring_error("realtime client", "channel", found, "left out or renamed: event codes use that name")
    info = mne.create_info([*spec.ch_names, STIM], spec.sfreq, [*spec.ch_types, "stim"], verbose="ERROR")
    if spec.positions is not None:
        known = {
            name: np.array(position)
            for name, kind, position in zip(spec.ch_names, spec.ch_types, spec.positions, strict=True)
            if kind in ELECTRODES and kind != "eog" and np.isfinite(position).all()
        }
        if known:
            montage = mne.channels.make_dig_montage(known, coord_frame="head")
            info.set_montage(montage, on_missing="ignore", verbose="ERROR")
    return info


def rt_epochs(client: RealtimeClient, event_id: Mapping[str, int], tmin: float, tmax: float, **options: Any) -> Any:
    """Make an RtEpochs that drops epochs with missing samples (``GAP`` in its drop log) and whose ``get_data`` works.

    ``get_data`` of MNE-realtime 0.3 fails with MNE 1.13, and its RtEpochs does not handle gaps.

    Parameters
    ----------
    client : RealtimeClient
        Client that delivers the samples.
    event_id : mapping of str to int
        Names and codes of the events to use.
    tmin, tmax : float
        Start and end of the epoch in seconds from the event. RtEpochs is wrong for windows that end before the event.
    **options
        Passed on to ``mne_realtime.RtEpochs``.

    Returns
    -------
    epochs : mne_realtime.RtEpochs
        Not started.
    """
    return _epochs_class()(client, dict(event_id), tmin, tmax, **options)


@cache
def _epochs_class() -> Any:
    class RtEpochs(import_realtime().RtEpochs):  # type: ignore[misc]
        def _is_good_epoch(self, data: Any, verbose: Any = None) -> Any:
            if np.isnan(data).any():
                return False, ("GAP",)
            return super()._is_good_epoch(data, verbose=verbose)

        # MNE passes more arguments to its own _get_data in each version; the signature of MNE-realtime lacks them.
        def _get_data(
            self, out: bool = True, picks: Any = None, item: Any = None, *, exclude: Any = (), **options: Any
        ) -> Any:
            if picks is None and len(exclude):
                left_out = self.info["bads"] if exclude == "bads" else exclude
                picks = [name for name in self.ch_names if name not in left_out]
            known = {key: options[key] for key in ("units", "tmin", "tmax") if key in options}
            return super()._get_data(out, picks, item, **known)

    return RtEpochs
