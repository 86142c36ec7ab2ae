"""The command channel: requests to a session under way, from this machine and this user alone, each one answered.

Messages are JSON over a loopback socket. Both sides prove by a keyed hash that they know a token, which lies with the
port in a file that its owner alone can read, in the folder of the session. Whether its owner lives is told by a lock
beside it, not by whether it answers: it may be stopped, or busy. While a request is worked on, words that say so are
sent every second, so that whoever waits can tell a long answer from none.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from multiprocessing import AuthenticationError, connection
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from earmark.devices.processes.lock import Held, Lock, is_held
from earmark.devices.processes.shared_memory import remove_orphans
from earmark.kernels.errors import EarmarkError

log = logging.getLogger(__name__)

#: Name of the file that says how a session is reached, and of the one that its owner holds while it lives.
ADDRESS, LOCK = ".earmark-session.json", ".earmark-session.lock"
#: Longest message in bytes; most connections at a time of those who proved that they know the token, and of others.
MAX_MESSAGE, MAX_CONNECTIONS, MAX_UNPROVEN = 1 << 20, 16, 64
#: Seconds for the proof, between looks at who has not given it, and between words that a request is worked on.
PROOF_S, POLL_S, WORKING_S = 2.0, 0.2, 1.0
#: Seconds without a word after which a session does not answer.
SILENT_S = 5.0


class ChannelError(EarmarkError):
    """Raised when a request to a session cannot be made or answered."""


class Refused(ChannelError):
    """Raised when a session refuses a request."""


class TypedText(str):
    """An argument as a person typed it; the command that takes it knows whether a number or text is meant."""

    __slots__ = ()


class Server:
    """Answers requests, from threads of its own, until closed.

    Parameters
    ----------
    folder : Path
        Where to say how it is reached.
    handle : callable
        Given the name of a command and its arguments by name; returns what JSON can hold. An :class:`EarmarkError` or
        ``OSError`` that it raises is the answer, in its words.
    about : mapping
        What else the file shall hold.

    Raises
    ------
    ChannelError
        If another session is under way in the folder, whether it answers or not.
    OSError
        If nothing can be written there.
    """

    def __init__(self, folder: Path, handle: Callable[[str, dict[str, Any]], Any], about: Mapping[str, Any]) -> None:
        self._path, self._handle = folder / ADDRESS, handle
        try:
            self._lock = Lock(folder / LOCK)
        except Held:
            raise ChannelError(
                f"a session is under way in {folder} already: end it, or choose another folder by --out"
            ) from None
        self._token = secrets.token_bytes(32)
        self._changing = threading.Lock()
        #: Who may ask, and since when the others have owed the proof, in the order in which they came.
        self._open: set[Connection] = set()
        self._unproven: dict[Connection, float] = {}
        self._closing = False
        try:
            self._listener = socket.create_server(("127.0.0.1", 0), backlog=MAX_UNPROVEN)
            self._listener.settimeout(POLL_S)
            port = self._listener.getsockname()[1]
            _write_for_owner(self._path, {"pid": os.getpid(), **about, "port": port, "token": self._token.hex()})
        except BaseException:
            self._lock.release()
            raise
        self._thread = threading.Thread(target=self._accept, name="channel", daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while not self._closing:
            self._drop_unproven()
            try:
                caller, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:  # whoever called went away at once, or too many files are open
                time.sleep(POLL_S)
                continue
            pipe = Connection(caller.detach())
            with self._changing:
                self._unproven[pipe] = time.monotonic()
            threading.Thread(target=self._serve, args=(pipe,), name="channel connection", daemon=True).start()

    def _drop_unproven(self) -> None:
        """End connections that took too long to prove anything, and of too many the oldest: none takes a place."""
        with self._changing:
            late = time.monotonic() - PROOF_S
            while self._unproven:
                pipe, since = next(iter(self._unproven.items()))
                if since > late and len(self._unproven) < MAX_UNPROVEN:
                    return
                del self._unproven[pipe]
                _disconnect(pipe)

    def _serve(self, pipe: Connection) -> None:
        try:
            # On this thread, so that somebody who never proves anything holds up nobody else.
            connection.deliver_challenge(pipe, self._token)
            connection.answer_challenge(pipe, self._token)
            with self._changing:
                full = len(self._open) >= MAX_CONNECTIONS
                if self._unproven.pop(pipe, None) is not None and not full:
                    self._open.add(pipe)
            while not self._closing:
                message = pipe.recv_bytes(MAX_MESSAGE)
                if full:
                    words = f"{MAX_CONNECTIONS} connections to the session are open, and there can be no more: end some"
                    pipe.send_bytes(json.dumps({"error": words}).encode())
                    return
                pipe.send_bytes(json.dumps(self._work(pipe, message)).encode())
        except AuthenticationError:
            log.warning("somebody without the token was refused on the command channel")
        except (EOFError, OSError):  # it went away, was hung up on, or sent too much
            pass
        finally:
            with self._changing:  # a number of a file that was closed may be another's
                self._open.discard(pipe)
                self._unproven.pop(pipe, None)
                pipe.close()

    def _work(self, pipe: Connection, message: bytes) -> dict[str, Any]:
        """Answer, and say once a second that it is worked on."""
        done = threading.Event()

        def tell() -> None:
            try:
                while not done.wait(WORKING_S):
                    pipe.send_bytes(b"{}")
            except OSError:  # it went away, which the answer will find
                return

        teller = threading.Thread(target=tell, name="channel waiting", daemon=True)
        teller.start()
        try:
            return self._answer(message)
        finally:
            done.set()
            teller.join()

    def _answer(self, message: bytes) -> dict[str, Any]:
        try:
            request = json.loads(message)
            command, arguments, said = request["do"], request.get("with", {}), request.get("said", {})
            if not isinstance(command, str) or not isinstance(arguments, dict):
                raise TypeError
            arguments |= {name: TypedText(text) for name, text in said.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"error": "a request is an object with 'do', a text, and 'with', an object"}
        try:
            return {"result": self._handle(command, arguments)}
        except EarmarkError as error:
            return {"error": str(error), "kind": error.kind()}
        except OSError as error:
            return {"error": str(error)}
        except Exception as error:
            log.exception("command %r failed", command)
            return {"error": f"{command} failed: {error!r}"}

    def close(self) -> None:
        """Answer no more, and remove the file."""
        self._closing = True
        try:
            if _address(self._path).get("token") == self._token.hex():
                self._path.unlink()
            self._lock.release()
        except OSError as error:  # the folder can no longer be written: who comes next sees that nobody holds the lock
            log.error("%s cannot be removed: %s", self._path, error)
        self._thread.join()
        self._listener.close()
        with self._changing:
            for pipe in (*self._open, *self._unproven):
                _disconnect(pipe)


class Client:
    """Asks the session of a folder; to be used by one thread at a time.

    Parameters
    ----------
    folder : Path
        Of the session.

    Raises
    ------
    ChannelError
        If no session is under way there, or it does not answer.
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
            self._pipe = _connect(port, token)
        except (OSError, EOFError, AuthenticationError):
            if is_held(folder / LOCK):
                raise ChannelError(f"the session in {folder} does not answer{self._advice()}") from None
            remove_orphans()
            raise ChannelError(f"no session is under way in {folder}: {path.name} is left from one that died") from None

    def _advice(self) -> str:
        pid = self.about.get("pid")
        return f": process {pid} is stopped, or the machine is overloaded. If it is stopped: kill -CONT {pid}"

    def send(self, command: str, **arguments: Any) -> Any:
        """Make a request and wait for its answer.

        Raises
        ------
        ChannelError
            If the session ended meanwhile or does not answer.
        EarmarkError
            If it is refused: what the session raised.
        """
        return self._request({"do": command, "with": arguments})

    def send_typed(self, command: str, said: Mapping[str, str]) -> Any:
        """Make a request with arguments as a person typed them; as :meth:`send`."""
        return self._request({"do": command, "said": dict(said)})

    def _request(self, request: dict[str, Any]) -> Any:
        try:
            self._pipe.send_bytes(json.dumps(request).encode())
            answer: dict[str, Any] = {}
            while not answer:
                if not self._pipe.poll(SILENT_S):
                    self.close()  # what it says later would be taken for the answer to another request
                    raise ChannelError(f"the session has said nothing for {SILENT_S:g} s{self._advice()}")
                answer = json.loads(self._pipe.recv_bytes(MAX_MESSAGE))
        except (EOFError, OSError):
            raise ChannelError("the session has ended") from None
        if "error" in answer:
            raise EarmarkError.of_kind(answer.get("kind", ""), answer["error"], ChannelError)
        return answer["result"]

    def close(self) -> None:
        """Hang up."""
        self._pipe.close()


def is_served(folder: Path) -> bool:
    """Whether a session is under way in a folder, and answers."""
    try:
        Client(folder).close()
    except ChannelError:
        return False
    return True


def has_died(folder: Path) -> bool:
    """Whether a session of a folder did not end in good order: it left its address, and its process is gone."""
    return (folder / ADDRESS).exists() and not is_held(folder / LOCK)


def _connect(port: int, token: bytes) -> Connection:
    """Return a connection on which both sides have proved that they know the token."""
    caller = socket.create_connection(("127.0.0.1", port), timeout=SILENT_S)
    caller.settimeout(None)
    pipe = Connection(caller.detach())
    patience = threading.Timer(SILENT_S, _disconnect, (pipe,))
    patience.start()
    try:
        connection.answer_challenge(pipe, token)
        connection.deliver_challenge(pipe, token)
    except BaseException:
        patience.cancel()
        patience.join()
        pipe.close()
        raise
    patience.cancel()
    patience.join()
    return pipe


def _disconnect(pipe: Connection) -> None:
    """Let whoever waits for a connection find it ended; the thread that owns it closes it."""
    try:
        with socket.fromfd(pipe.fileno(), socket.AF_INET, socket.SOCK_STREAM) as twin:
            twin.shutdown(socket.SHUT_RDWR)
    except OSError:  # it has ended meanwhile
        log.debug("a connection of the channel was closed already")


def _address(path: Path) -> dict[str, Any]:
    """What the file says; nothing if it is not there, or says nothing of the kind."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_for_owner(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file that nobody else can read at any instant, and nobody half of."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file)
    new.replace(path)
