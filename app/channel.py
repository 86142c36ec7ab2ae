"""The command channel: requests to a session under way, from this machine and this user alone, each one answered.

Messages are JSON over a loopback socket. Both sides prove by a keyed hash that they know a token, which lies with the
port in a file that its owner alone can read, in the folder of the session.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from multiprocessing import AuthenticationError, connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

#: Name of the file that says how a session is reached.
ADDRESS = ".earmark-session.json"
#: Longest message in bytes; most connections at a time.
MAX_MESSAGE, MAX_CONNECTIONS = 1 << 20, 16


class ChannelError(RuntimeError):
    """A request could not be made, or was refused; the message says why."""


class Refused(Exception):
    """Raised by whoever handles requests: this one cannot be granted, and why."""


class Said(str):
    """An argument as a person typed it; the command that takes it knows whether a number or text is meant."""

    __slots__ = ()


class Server:
    """Answers requests, from threads of its own, until closed.

    Parameters
    ----------
    folder : Path
        Where to say how it is reached.
    handle : callable
        Given the name of a command and its arguments by name; returns what JSON can hold, or raises :class:`Refused`.
    about : mapping
        What else the file shall hold.

    Raises
    ------
    ChannelError
        If another session is served from the folder.
    """

    def __init__(self, folder: Path, handle: Callable[[str, dict[str, Any]], Any], about: Mapping[str, Any]) -> None:
        self._path, self._handle = folder / ADDRESS, handle
        if is_served(folder):
            raise ChannelError(f"a session is under way in {folder} already: end it, or choose another folder by --out")
        self._token = secrets.token_bytes(32)
        self._listener = connection.Listener(("127.0.0.1", 0), backlog=MAX_CONNECTIONS)
        self._open: set[Connection] = set()
        self._closing = False
        _write_for_owner(
            self._path,
            {**about, "port": self._listener.address[1], "token": self._token.hex()},  # type: ignore[index]
        )
        self._thread = threading.Thread(target=self._accept, name="channel", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                pipe = self._listener.accept()
            except OSError:
                if self._closing:
                    return
                continue  # whoever called went away at once
            if self._closing:
                pipe.close()
                return
            if len(self._open) >= MAX_CONNECTIONS:
                pipe.close()
                continue
            self._open.add(pipe)
            threading.Thread(target=self._serve, args=(pipe,), name="channel connection", daemon=True).start()

    def _serve(self, pipe: Connection) -> None:
        try:
            # On this thread, so that somebody who never proves anything holds up nobody else.
            connection.deliver_challenge(pipe, self._token)
            connection.answer_challenge(pipe, self._token)
            while not self._closing:
                pipe.send_bytes(json.dumps(self._answer(pipe.recv_bytes(MAX_MESSAGE))).encode())
        except AuthenticationError:
            log.warning("somebody without the token was refused on the command channel")
        except (EOFError, OSError):  # it went away, or sent too much
            pass
        finally:
            self._open.discard(pipe)
            pipe.close()

    def _answer(self, message: bytes) -> dict[str, Any]:
        try:
            request = json.loads(message)
            command, arguments, said = request["do"], request.get("with", {}), request.get("said", {})
            if not isinstance(command, str) or not isinstance(arguments, dict):
                raise TypeError
            arguments |= {name: Said(text) for name, text in said.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"error": "a request is an object with 'do', a text, and 'with', an object"}
        try:
            return {"result": self._handle(command, arguments)}
        except Refused as refusal:
            return {"error": str(refusal)}
        except Exception as error:
            log.exception("command %r failed", command)
            return {"error": f"{command} failed: {error!r}"}

    def close(self) -> None:
        """Answer no more, and remove the file."""
        self._closing = True
        self._path.unlink(missing_ok=True)
        try:  # accept is not woken by a close
            connection.Client(self._listener.address).close()
        except OSError:
            log.debug("the channel was closed already")
        self._listener.close()
        self._thread.join(2.0)
        for pipe in list(self._open):
            _hang_up(pipe)


class Client:
    """Asks the session of a folder; to be used by one thread at a time.

    Parameters
    ----------
    folder : Path
        Of the session.

    Raises
    ------
    ChannelError
        If no session is under way there.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / ADDRESS
        try:
            #: What the file says, besides port and token.
            self.about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            port, token = int(self.about.pop("port")), bytes.fromhex(self.about.pop("token"))
        except (FileNotFoundError, NotADirectoryError):
            raise ChannelError(f"no session is under way in {folder}") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ChannelError(f"{path} cannot be read: {error}") from None
        try:
            self._pipe = connection.Client(("127.0.0.1", port), authkey=token)
        except (OSError, EOFError, AuthenticationError):
            raise ChannelError(f"no session is under way in {folder}: {path.name} is left from one that died") from None

    def send(self, command: str, **arguments: Any) -> Any:
        """Make a request and wait for its answer.

        Raises
        ------
        ChannelError
            If it is refused, or the session ended meanwhile.
        """
        return self._ask({"do": command, "with": arguments})

    def say(self, command: str, said: Mapping[str, str]) -> Any:
        """Make a request with arguments as a person typed them; as :meth:`send`."""
        return self._ask({"do": command, "said": dict(said)})

    def _ask(self, request: dict[str, Any]) -> Any:
        try:
            self._pipe.send_bytes(json.dumps(request).encode())
            answer = json.loads(self._pipe.recv_bytes(MAX_MESSAGE))
        except (EOFError, OSError):
            raise ChannelError("the session has ended") from None
        if "error" in answer:
            raise ChannelError(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """Hang up."""
        self._pipe.close()


def is_served(folder: Path) -> bool:
    """Whether a session is under way in a folder."""
    try:
        Client(folder).close()
    except ChannelError:
        return False
    return True


def has_died(folder: Path) -> bool:
    """Whether a session of a folder did not end in good order: it left its address, and its process is gone."""
    import psutil

    try:
        pid = json.loads((folder / ADDRESS).read_text(encoding="utf-8"))["pid"]
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):  # no session, or one whose process is not told
        return False


def _hang_up(pipe: Connection) -> None:
    """Let whoever waits for a connection find it ended; the thread that owns it closes it."""
    try:
        with socket.fromfd(pipe.fileno(), socket.AF_INET, socket.SOCK_STREAM) as twin:
            twin.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended meanwhile
        log.debug("a connection of the channel was closed already")


def _write_for_owner(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file that nobody else can read at any instant."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file)
