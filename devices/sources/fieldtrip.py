"""A FieldTrip buffer as a source, through the client of MNE-realtime."""

from __future__ import annotations

import logging
import math
import socket
import struct
import threading
import time
import warnings
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pylsl

from earmark.devices.sources.lsl_description import StreamError, unique_names
from earmark.devices.sources.overrides import TYPES
from earmark.pipeline.stream import Block, Gap, StreamSpec

log = logging.getLogger(__name__)

#: Maximum wait for samples, and therefore for noticing a stop request or an emptied buffer.
PATIENCE_S = 0.1
#: Maximum size of a reply; a server that announces more is not a FieldTrip buffer.
MAX_REPLY = 1 << 28
#: First words of labels that are not electrodes. ``EOG`` is handled separately.
NOT_ELECTRODES = ("STI", "STATUS", "TRIG", "MARKER", "AUX", "MISC", "SYS", "ECG", "EKG", "EMG", "GSR", "RESP", "ACC")
#: Numbers of samples and events are sent as uint32; this many never arrive.
NEVER = 0xFFFFFFFF


class _Lost(RuntimeError):
    """The connection broke, or its data are invalid."""


def import_realtime() -> Any:
    """Import MNE-realtime without the warning, at every first import, that it is discontinued."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="MNE-realtime is discontinued", category=FutureWarning)
        import mne_realtime
    return mne_realtime


class _Socket:
    """The parts of a socket that FieldTrip's client uses; unlike that client, it ends at the end of the connection."""

    def __init__(self, address: tuple[str, int], timeout: float) -> None:
        self._socket = socket.create_connection(address, timeout)
        self.close = self._socket.close
        self.send = self._socket.send

    def recv(self, size: int) -> bytes:
        if size > MAX_REPLY:
            raise OSError(f"it announces a reply of {size} bytes, as no FieldTrip buffer would")
        data = bytearray(size)
        view, got = memoryview(data), 0
        while got < size:
            n = self._socket.recv_into(view[got:])
            if n == 0:
                raise ConnectionError("it closed the connection")
            got += n
        return bytes(data)

    def interrupt(self) -> None:
        """End any wait of the receiving thread."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError as error:
            log.debug("FieldTrip connection already gone: %s", error)


@cache
def _client_class() -> Any:
    """Return MNE-realtime's FieldTripClient with connections that time out and end."""
    realtime = import_realtime()
    from mne_realtime.externals.FieldTrip import Client

    class Connection(Client):  # type: ignore[misc]
        def __init__(self, timeout: float) -> None:
            super().__init__()
            self.timeout = timeout
            self.refusal = ""

        def connect(self, hostname: str, port: int = 1972) -> None:
            try:
                self.sock = _Socket((hostname, port), self.timeout)
            except OSError as error:  # the caller retries, and would forget the reason
                self.refusal = str(error)
                raise
            self.isConnected = True

    class FieldTrip(realtime.FieldTripClient):  # type: ignore[misc, name-defined]
        socket_timeout: float

        # __enter__ makes its own connection; a property setter is the only place to substitute ours.
        @property
        def ft_client(self) -> Connection:
            return self._connection

        @ft_client.setter
        def ft_client(self, _: Client) -> None:
            self._connection = Connection(self.socket_timeout)

    return FieldTrip


class FieldTripSource:
    """A FieldTrip buffer, received by a thread of its own that blocks until samples arrive.

    Samples are delivered exactly once and in order. Samples that are not available become a gap: those that the ring of
    the server overwrote before they were fetched, and those around a restart of the server's count. The number of
    the latter is unknown; it is estimated from the pause in arrival, and is at least one. A broken connection is
    retried for ``timeout`` seconds. A restart of the server with the same header, whose count passes the old one
    before the next poll, is not noticed: the protocol has no identity.

    Parameters
    ----------
    host, port : str, int
        Address of the buffer.
    timeout : float
        Seconds to search for the buffer and its header, to wait for a reply, and to search for a lost buffer.
    ch_types : str or sequence of str
        Type per channel; or the type of all channels whose label does not imply another one (``EOG...`` is ``eog``;
        triggers, auxiliary and other body signals are ``misc``), since the buffer does not state it.
    unit : str
        Unit of all channels except ``misc``, which the buffer does not state either.
    name : str
        Name of the stream.

    Attributes
    ----------
    spec : StreamSpec
        Channels and rate, from the header.
    dtype : numpy.dtype
        Number format of the samples.
    failure : StreamError or None
        Why receiving ended, unless :meth:`stop` ended it.

    Raises
    ------
    StreamError
        If there is no FieldTrip buffer, or its header is missing or not that of a signal.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 1972,
        *,
        timeout: float = 10.0,
        ch_types: str | Sequence[str] = "eeg",
        unit: str = "uV",
        name: str = "fieldtrip",
    ) -> None:
        self.host, self.port, self.timeout, self.name = host, port, timeout, name
        self._ch_types, self._unit = ch_types, unit
        self.failure: StreamError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"fieldtrip {name}", daemon=True)
        header = self._connect()
        try:
            self.spec, self.dtype = self._describe(header)
        except StreamError:
            self._client.ft_client.disconnect()
            raise
        self._most = max(1, min(round(self.spec.sfreq), MAX_REPLY // (16 * self.spec.n_channels)))

    def start(
        self,
        deliver: Callable[[Block | Gap, float], None],
        on_error: Callable[[StreamError], None],
        on_change: Callable[[str, str], None] = lambda status, words: None,
    ) -> None:
        """Start to receive, from the newest sample on.

        Parameters
        ----------
        deliver : callable
            Called on the thread of the source with every block (samples in the buffer's own number format, read-only,
            with the buffer's numbering) or gap, and its arrival in LSL seconds.
        on_error : callable
            Called on the thread of the source, at most once, with the reason why receiving ended.
        on_change : callable
            Called on the thread of the source with ``lost`` or ``live``, and a message.

        Raises
        ------
        StreamError
            If the buffer is gone.
        """
        self._deliver, self._on_error, self._on_change = deliver, on_error, on_change
        try:
            self._next = int(self._ask("poll")[0])
        except _Lost as error:
            raise StreamError(self._words(f"does not answer: {error}")) from None
        self._offset = 0  # index of a sample minus its number in the buffer
        self._last = pylsl.local_clock()
        self._thread.start()

    def stop(self) -> None:
        """Stop receiving and close the connection; takes at most ``timeout`` seconds if the host is gone."""
        self._stop.set()
        if self._thread.ident is None:
            self._client.ft_client.disconnect()
        elif self._thread is not threading.current_thread():
            self._thread.join(5 * PATIENCE_S)
            if self._thread.is_alive():  # waits for a server that hangs or is gone
                self._client.wait_max = 0
                sock = self._client.ft_client.sock
                if isinstance(sock, _Socket):
                    sock.interrupt()
                self._thread.join()

    def _say(self, status: str, what: str) -> None:
        log.warning("%s", self._words(what))
        self._on_change(status, self._words(what))

    def _words(self, what: str) -> str:
        return f"stream {self.name!r}: the FieldTrip buffer at {self.host}:{self.port} {what}"

    def _connect(self) -> Any:
        """Connect and return the header."""
        import mne

        # Left to guess its info, FieldTripClient warns, fails on any label without a number ('Cz') and takes volts
        # for granted. It is given one instead; as the labels are not known yet, one that means nothing.
        placeholder, end = mne.create_info(1, 1.0, "misc"), time.monotonic() + self.timeout
        while True:
            client = _client_class()(
                placeholder, self.host, self.port, wait_max=max(PATIENCE_S, end - time.monotonic())
            )
            client.socket_timeout = max(1.0, self.timeout)
            client.ft_client = client.ft_header = None  # read even if its __enter__ failed before setting them
            self._client = client
            try:
                with mne.utils.use_log_level("WARNING"):
                    client.__enter__()
                return client.ft_header
            except (OSError, RuntimeError, ValueError, struct.error) as error:
                refusal = self._refusal(error)
                client.ft_client.disconnect()
                # A server that is shutting down, or starting, may accept a connection only to close it.
                again = isinstance(error, ConnectionError) and time.monotonic() < end
                if not again or self._stop.wait(PATIENCE_S):
                    raise refusal from None

    def _refusal(self, error: Exception) -> StreamError:
        if not isinstance(error, RuntimeError):
            what = f"does not answer as one: {error}. Is it the right port?"
        elif self._client.ft_client.isConnected:
            what = f"has no header after {self.timeout:g} s. Start the acquisition that fills it"
        else:
            reason = self._client.ft_client.refusal or "stopped"
            what = f"was not found within {self.timeout:g} s: {reason}. Start it, or correct host and port"
        return StreamError(self._words(what))

    def _describe(self, header: Any) -> tuple[StreamSpec, np.dtype]:
        from mne_realtime.externals.FieldTrip import numpyType

        n, sfreq = header.nChannels, float(header.fSample)
        if n < 1 or not (math.isfinite(sfreq) and sfreq > 0) or header.dataType >= len(numpyType):
            raise StreamError(self._words(f"holds no signal: {n} channels of type {header.dataType} at {sfreq:g} Hz"))
        labels = [label.strip() or f"ch{i + 1}" for i, label in enumerate(header.labels or [""] * n)]
        types = self._ch_types
        if isinstance(types, str):
            types = [_channel_type(label, types) for label in labels]
        if len(types) != n or not set(types) <= set(TYPES):
            raise StreamError(
                self._words(f"has {n} channels; ch_types is {types}, but must be one of {TYPES} for each")
            )
        units = tuple("" if kind == "misc" else self._unit for kind in types)
        spec = StreamSpec(self.name, sfreq, unique_names(labels), tuple(types), units)
        return spec, np.dtype(numpyType[header.dataType])

    # Receiving, on the thread

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._receive()
                except _Lost as error:
                    if not self._stop.is_set():
                        self._say("lost", f"was lost: {error}; looking for it")
                        self._resume(str(error))
        except StreamError as error:
            self._fail(error)
        except Exception as error:
            log.exception("%s", self._words("was received, but not taken"))
            self._fail(StreamError(self._words(f"was received, but whoever takes its samples failed: {error!r}")))
        finally:
            self._client.ft_client.disconnect()

    def _fail(self, error: StreamError) -> None:
        if not self._stop.is_set():
            self.failure = error
            self._on_error(error)

    def _ask(self, request: str, *arguments: Any) -> Any:
        try:
            return getattr(self._client.ft_client, request)(*arguments)
        except OSError as error:
            raise _Lost(str(error)) from error
        except (struct.error, TypeError, ValueError) as error:
            raise _Lost(f"its reply makes no sense ({error})") from error

    def _receive(self) -> None:
        n, _ = self._ask("wait", self._next - self._offset, NEVER, PATIENCE_S * 1e3)
        arrival = pylsl.local_clock()
        if n < self._next - self._offset:
            self._restart(self._ask("getHeader"), arrival)
            return
        while self._next < n + self._offset and not self._stop.is_set():
            start = self._next - self._offset
            stop = min(n, start + self._most)
            data = self._ask("getData", [start, stop - 1])
            if data is None:
                self._find_oldest(start, stop, arrival)
                return
            if data.shape != (stop - start, self.spec.n_channels) or data.dtype != self.dtype:
                self._restart(self._ask("getHeader"), arrival)
                return
            self._deliver(Block(self._next, data), arrival)
            self._next += len(data)
            self._last = arrival

    def _resume(self, why: str) -> None:
        self._client.ft_client.disconnect()
        try:
            header = self._connect()
        except StreamError as error:
            raise StreamError(f"{self._words(f'went away: {why}')}. Since then: {error}") from None
        if header.nSamples < self._next - self._offset:
            self._restart(header, pylsl.local_clock())
        else:
            self._check(header)
        self._say("live", "is back")

    def _find_oldest(self, start: int, stop: int, arrival: float) -> None:
        """Find out why samples ``start`` to ``stop``, which existed, are gone."""
        n, _ = self._ask("poll")
        if n < stop:
            self._restart(self._ask("getHeader"), arrival)
            return
        # Overwritten. The protocol does not give the size of the ring: bisect for the oldest sample that it has.
        oldest = bisect_left(range(start, n), True, key=lambda i: self._ask("getData", [i, i]) is not None) + start
        self._skip(max(oldest, start + 1) - start, "it overwrote them before they were fetched", arrival)

    def _restart(self, header: Any, arrival: float) -> None:
        """Continue with a buffer that has restarted its count."""
        if header is None:
            raise _Lost("it has lost its header")
        self._check(header)
        missing = max(1, round((arrival - self._last) * self.spec.sfreq) - header.nSamples)
        self._skip(missing, "it started anew, and the clock says so", arrival)
        self._offset = self._next

    def _skip(self, n: int, why: str, arrival: float) -> None:
        log.warning("%s", self._words(f"lost {n} samples from {self._next} on: {why}"))
        self._deliver(Gap(self._next, self._next + n), arrival)
        self._next += n

    def _check(self, header: Any) -> None:
        spec, dtype = self._describe(header)
        if (spec, dtype) != (self.spec, self.dtype):
            raise StreamError(
                self._words(
                    f"came back with {spec.n_channels} channels of {dtype} at {spec.sfreq:g} Hz instead of "
                    f"{self.spec.n_channels} of {self.dtype} at {self.spec.sfreq:g} Hz, or other names. "
                    "Restart it as it was, or open it anew"
                )
            )


def _channel_type(label: str, default: str) -> str:
    label = label.upper()
    return "eog" if label.startswith("EOG") else "misc" if label.startswith(NOT_ELECTRODES) else default
