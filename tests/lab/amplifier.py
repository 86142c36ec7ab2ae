"""A simulated amplifier that sends over TCP, in the format of :class:`lab_parts.TcpAmplifier`."""

from __future__ import annotations

import json
import socket
import threading
import time

import numpy as np

SFREQ, NAMES = 250.0, ("Fz", "Cz", "Pz")


def sample(number: int) -> np.ndarray:
    """Return the values of a sample in microvolts."""
    return np.array([np.sin(number / 7), np.cos(number / 11), (number % 100) / 100], np.float32) * 50


class Amplifier:
    """Sends to every client that connects; samples are numbered by the time since it was switched on."""

    def __init__(self) -> None:
        self._begun = time.monotonic()
        self._off, self._ended = threading.Event(), threading.Event()
        self._open(0)
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _open(self, port: int) -> None:
        self._server = socket.create_server(("127.0.0.1", port))
        self._server.settimeout(0.05)

    def __enter__(self) -> Amplifier:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._server.close()

    def off(self) -> None:
        """Close all connections and accept no others."""
        self._off.set()

    def on(self) -> None:
        """Accept connections again; the samples of the meantime are lost."""
        self._off.clear()

    def _serve(self) -> None:
        while not self._ended.is_set():
            if self._off.is_set():
                self._server.close()
                while self._off.is_set() and not self._ended.is_set():
                    time.sleep(0.02)
                self._open(self.port)
            try:
                client, _ = self._server.accept()
            except TimeoutError:
                continue
            with client:
                self._send(client)

    def _send(self, client: socket.socket) -> None:
        packet = np.dtype([("number", "<u4"), ("values", "<f4", len(NAMES))])
        try:
            client.sendall(json.dumps({"names": NAMES, "sfreq": SFREQ}).encode() + b"\n")
            at = int((time.monotonic() - self._begun) * SFREQ)
            while not (self._off.is_set() or self._ended.is_set()):
                time.sleep(0.01)
                stop = int((time.monotonic() - self._begun) * SFREQ)
                if stop > at:
                    packets = np.zeros(stop - at, packet)
                    packets["number"] = np.arange(at, stop)
                    packets["values"] = [sample(k) for k in range(at, stop)]
                    client.sendall(packets.tobytes())
                    at = stop
        except OSError:
            return
