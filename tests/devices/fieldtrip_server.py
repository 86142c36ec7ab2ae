"""A FieldTrip buffer for tests: a TCP server of protocol version 1, and a client that fills it.

Written from the protocol: a message is a header of version (uint16), command (uint16) and number of bytes that follow
(uint32), little endian, and those bytes. Samples are numbered from 0; the newest ``ring`` of them are kept.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

import numpy as np

MESSAGE = struct.Struct("<HHI")
HEADER = struct.Struct("<IIIfII")  # channels, samples, events, rate, type, bytes of chunks
DATA = struct.Struct("<IIII")  # channels, samples, type, bytes
VERSION = 1
PUT_HDR, PUT_DAT, PUT_EVT, PUT_OK, PUT_ERR = 0x101, 0x102, 0x103, 0x104, 0x105
GET_HDR, GET_DAT, GET_EVT, GET_OK, GET_ERR = 0x201, 0x202, 0x203, 0x204, 0x205
FLUSH_HDR, FLUSH_DAT, FLUSH_EVT, FLUSH_OK, FLUSH_ERR = 0x301, 0x302, 0x303, 0x304, 0x305
WAIT_DAT, WAIT_OK, WAIT_ERR = 0x402, 0x404, 0x405
CHANNEL_NAMES = 1
TYPES = {
    "uint8": 1,
    "uint16": 2,
    "uint32": 3,
    "uint64": 4,
    "int8": 5,
    "int16": 6,
    "int32": 7,
    "int64": 8,
    "float32": 9,
    "float64": 10,
}
SIZES = {0: 1} | {code: np.dtype(name).itemsize for name, code in TYPES.items()}


def read(connection: socket.socket, size: int) -> bytes:
    """Read exactly ``size`` bytes."""
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("closed")
        data += part
    return data


class FieldTripServer:
    """A FieldTrip buffer server; use as a context manager."""

    def __init__(self, ring: int = 100_000, port: int = 0) -> None:
        self.ring = ring
        self.stuck = False  # accept requests without answering
        self.header: tuple[int, float, int, bytes] | None = None  # channels, rate, type, chunks
        self.n = 0
        self._rows = np.empty((0, 0), np.uint8)
        self._changed = threading.Condition()
        self._closed = False
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> FieldTripServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Simulate a crash: refuse new connections, break the current ones."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.break_connections()
        for thread in self._threads:
            thread.join()

    def break_connections(self) -> None:
        """Break the current connections, like a network failure."""
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while not self._closed:
                version, command, size = MESSAGE.unpack(read(connection, MESSAGE.size))
                assert version == VERSION
                payload = read(connection, size)
                answer, body = self._answer(command, payload)
                with self._changed:
                    self._changed.wait_for(lambda: not self.stuck or self._closed)
                connection.sendall(MESSAGE.pack(VERSION, answer, len(body)) + body)

    def _answer(self, command: int, payload: bytes) -> tuple[int, bytes]:
        with self._changed:
            if command == PUT_HDR:
                n_channels, _, _, sfreq, kind, size = HEADER.unpack_from(payload)
                self.header = n_channels, sfreq, kind, payload[HEADER.size : HEADER.size + size]
                self._rows = np.zeros((self.ring, n_channels * SIZES.get(kind, 1)), np.uint8)
                self.n = 0
                return PUT_OK, b""
            if command == FLUSH_HDR and self.header is not None:
                self.header, self.n = None, 0
                return FLUSH_OK, b""
            if self.header is None:
                return {1: PUT_ERR, 2: GET_ERR, 3: FLUSH_ERR, 4: WAIT_ERR}[command >> 8], b""
            n_channels, sfreq, kind, chunks = self.header
            if command == GET_HDR:
                return GET_OK, HEADER.pack(n_channels, self.n, 0, sfreq, kind, len(chunks)) + chunks
            if command == PUT_DAT:
                return self._put(payload)
            if command == GET_DAT:
                begin, end = struct.unpack("<II", payload) if payload else (max(0, self.n - self.ring), self.n - 1)
                if not max(0, self.n - self.ring) <= begin <= end < self.n:
                    return GET_ERR, b""
                rows = self._rows[np.arange(begin, end + 1) % self.ring].tobytes()
                return GET_OK, DATA.pack(n_channels, end - begin + 1, kind, len(rows)) + rows
            if command == WAIT_DAT:
                threshold, _, milliseconds = struct.unpack("<III", payload)
                self._changed.wait_for(lambda: self.n > threshold or self._closed, milliseconds / 1e3)
                return WAIT_OK, struct.pack("<II", self.n, 0)
            if command == FLUSH_DAT:
                self.n = 0
                return FLUSH_OK, b""
            return {0x1: PUT_ERR, 0x2: GET_ERR, 0x3: FLUSH_OK}[command >> 8], b""

    def _put(self, payload: bytes) -> tuple[int, bytes]:
        assert self.header is not None
        n_channels, n, kind, size = DATA.unpack_from(payload)
        if (n_channels, kind) != (self.header[0], self.header[2]) or n > self.ring:
            return PUT_ERR, b""
        rows = np.frombuffer(payload, np.uint8, size, DATA.size).reshape(n, -1)
        self._rows[np.arange(self.n, self.n + n) % self.ring] = rows
        self.n += n
        self._changed.notify_all()
        return PUT_OK, b""


class Acquisition:
    """Fill a buffer over TCP, like the software of an amplifier; use as a context manager."""

    def __init__(self, port: int) -> None:
        self._connection = socket.create_connection(("127.0.0.1", port))

    def __enter__(self) -> Acquisition:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _request(self, command: int, body: bytes, wanted: int) -> None:
        self._connection.sendall(MESSAGE.pack(VERSION, command, len(body)) + body)
        _, answer, size = MESSAGE.unpack(read(self._connection, MESSAGE.size))
        read(self._connection, size)
        assert answer == wanted, hex(answer)

    def put_header(self, n_channels: int, sfreq: float, dtype: str, labels: list[str] | None = None) -> None:
        """Write a new header, which restarts the buffer."""
        chunks = b""
        if labels is not None:
            names = b"".join(label.encode() + b"\0" for label in labels)
            chunks = struct.pack("<II", CHANNEL_NAMES, len(names)) + names
        self._request(PUT_HDR, HEADER.pack(n_channels, 0, 0, sfreq, TYPES[dtype], len(chunks)) + chunks, PUT_OK)

    def put(self, data: np.ndarray) -> None:
        """Append samples, shape (n_samples, n_channels)."""
        body = np.ascontiguousarray(data).tobytes()
        definition = DATA.pack(data.shape[1], len(data), TYPES[data.dtype.name], len(body))
        self._request(PUT_DAT, definition + body, PUT_OK)

    def flush(self, command: int = FLUSH_DAT) -> None:
        """Empty the buffer."""
        self._request(command, b"", FLUSH_OK)
