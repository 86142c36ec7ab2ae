"""The command channel: sends requests to a running session, from the same machine and user, and returns the answers.

Messages are JSON over a loopback socket. Client and server authenticate each other with a shared token (HMAC). Token
and port are in a file in the session's folder that only its owner can read. A lock file next to it shows whether the
session's process is alive; a missing answer does not, because the process may be stopped or busy. While the server
works on a request, it sends an empty message every second, so that the client can tell a slow answer from none.
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

#: Names of the file with port and token, and of the lock file that the session holds while it runs.
ADDRESS, LOCK = ".earmark-session.json", ".earmark-session.lock"
#: Maximum message length in bytes; maximum numbers of authenticated and of not yet authenticated connections.
MAX_MESSAGE, MAX_CONNECTIONS, MAX_UNPROVEN = 1 << 20, 16, 64
#: Seconds: time limit for authentication, interval of checking that limit, interval of "still working" messages, and
#: the longest wait at the end for answers to requests in progress.
PROOF_S, POLL_S, WORKING_S, ANSWER_S = 2.0, 0.2, 1.0, 1.0
#: Seconds without any message after which a session counts as not answering.
SILENT_S = 5.0


class ChannelError(EarmarkError):
    """Raised when a request cannot be sent to a session, or the session does not answer."""


class Refused(ChannelError):
    """Raised when a session refuses a request."""


class TypedText(str):
    """An argument as a person typed it; the type of the command's parameter decides how it is parsed."""

    __slots__ = ()


class Server:
    """Answers requests on its own threads until it is closed.

    Parameters
    ----------
    folder : Path
        Folder for the address file and the lock file.
    handle : callable
        Called with the name of a command and a dict of its arguments; returns a value that JSON can represent. The
        message of an :class:`EarmarkError` or ``OSError`` that it raises is sent to the client.
    about : mapping
        Further entries of the address file.

    Raises
    ------
    ChannelError
        If another session is running in the folder, whether it answers or not.
    OSError
        If the folder cannot be written.
    """

    def __init__(self, folder: Path, handle: Callable[[str, dict[str, Any]], Any], about: Mapping[str, Any]) -> None:
        self._path, self._handle = folder / ADDRESS, handle
        try:
            self._lock = Lock(folder / LOCK)
        except Held:
            raise ChannelError(
                f"a session is already under way in {folder}: end it, or choose another folder with --out"
            ) from None
        self._token = secrets.token_bytes(32)
        self._changing = threading.Condition()
        #: Connections whose request is being answered.
        self._answering: set[Connection] = set()
        #: Authenticated connections; and the others with the time at which they were accepted, oldest first.
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
            except OSError:  # the client disconnected at once, or too many files are open
                time.sleep(POLL_S)
                continue
            pipe = Connection(caller.detach())
            with self._changing:
                self._unproven[pipe] = time.monotonic()
            threading.Thread(target=self._serve, args=(pipe,), name="channel connection", daemon=True).start()

    def _drop_unproven(self) -> None:
        """Close connections that did not authenticate in time, and the oldest ones if there are too many."""
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
            # On this thread, so that a client that never authenticates does not block others.
            connection.deliver_challenge(pipe, self._token)
            connection.answer_challenge(pipe, self._token)
            with self._changing:
                full = len(self._open) >= MAX_CONNECTIONS
                if self._unproven.pop(pipe, None) is not None and not full:
                    self._open.add(pipe)
            while not self._closing:
                message = pipe.recv_bytes(MAX_MESSAGE)
                if full:
                    words = f"{MAX_CONNECTIONS} connections to the session are open, which is the maximum: close one"
                    pipe.send_bytes(json.dumps({"error": words}).encode())
                    return
                with self._changing:
                    self._answering.add(pipe)
                pipe.send_bytes(json.dumps(self._work(pipe, message)).encode())
                self._answered(pipe)
        except AuthenticationError:
            log.warning("command channel: refused a client that does not know the session's token")
        except (EOFError, OSError):  # the client disconnected, was disconnected, or sent too long a message
            pass
        finally:
            with self._changing:  # a closed file descriptor may already be reused by another connection
                self._open.discard(pipe)
                self._unproven.pop(pipe, None)
                pipe.close()
            self._answered(pipe)

    def _answered(self, pipe: Connection) -> None:
        with self._changing:
            self._answering.discard(pipe)
            self._changing.notify_all()

    def _work(self, pipe: Connection, message: bytes) -> dict[str, Any]:
        """Return the answer to a request; until it is ready, send a "still working" message every second."""
        done = threading.Event()

        def keep_alive() -> None:
            try:
                while not done.wait(WORKING_S):
                    pipe.send_bytes(b"{}")
            except OSError:  # the client disconnected; sending the answer will fail, too
                return

        thread = threading.Thread(target=keep_alive, name="channel waiting", daemon=True)
        thread.start()
        try:
            return self._answer(message)
        finally:
            done.set()
            thread.join()

    def _answer(self, message: bytes) -> dict[str, Any]:
        try:
            request = json.loads(message)
            command, arguments, typed = request["do"], request.get("with", {}), request.get("said", {})
            if not isinstance(command, str) or not isinstance(arguments, dict):
                raise TypeError
            arguments |= {name: TypedText(text) for name, text in typed.items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            return {"error": "a request is a JSON object with 'do' (a string) and 'with' (an object)"}
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
        """Stop answering, disconnect the clients and remove the address file."""
        self._closing = True
        try:
            if _address(self._path).get("token") == self._token.hex():
                self._path.unlink()
            self._lock.release()
        except OSError as error:  # the folder is not writable; clients still see that the lock is not held
            log.error("%s cannot be removed: %s", self._path, error)
        self._thread.join()
        self._listener.close()
        with self._changing:
            self._changing.wait_for(lambda: not self._answering, ANSWER_S)  # such as the command that ended the session
            for pipe in (*self._open, *self._unproven):
                _disconnect(pipe)


class Client:
    """Sends requests to the session in a folder; only one thread at a time may use it.

    Parameters
    ----------
    folder : Path
        Folder of the session.

    Raises
    ------
    ChannelError
        If no session is running there, or it does not answer.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / ADDRESS
        try:
            #: Entries of the address file other than port and token.
            self.about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            port, token = int(self.about.pop("port")), bytes.fromhex(self.about.pop("token"))
        except (FileNotFoundError, NotADirectoryError):
            if not folder.is_dir():
                is_what = "it is a file" if folder.exists() else "there is no such folder"
                raise ChannelError(f"no session is under way in {folder}: {is_what}") from None
            raise ChannelError(
                f"no session is under way in {folder}: start one ('earmark run', 'earmark serve'), or name its folder"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ChannelError(f"{path} cannot be read: {error}. Restart the session") from None
        try:
            self._pipe = _connect(port, token)
        except (OSError, EOFError, AuthenticationError):
            if is_held(folder / LOCK):
                raise ChannelError(f"the session in {folder} does not answer{self._advice()}") from None
            remove_orphans()
            raise ChannelError(f"no session is under way in {folder}: {path.name} is from one that crashed") from None

    def _advice(self) -> str:
        pid = self.about.get("pid")
        return f": process {pid} is stopped, or the machine is overloaded. If it is stopped: kill -CONT {pid}"

    def send(self, command: str, **arguments: Any) -> Any:
        """Send a request and wait for the answer.

        Raises
        ------
        ChannelError
            If the session has ended or does not answer.
        EarmarkError
            If the session refuses it; of the class that was raised there.
        """
        return self._request({"do": command, "with": arguments})

    def send_typed(self, command: str, typed: Mapping[str, str]) -> Any:
        """Send a request with arguments as a person typed them; otherwise like :meth:`send`."""
        return self._request({"do": command, "said": dict(typed)})

    def _request(self, request: dict[str, Any]) -> Any:
        try:
            self._pipe.send_bytes(json.dumps(request).encode())
            answer: dict[str, Any] = {}
            while not answer:
                if not self._pipe.poll(SILENT_S):
                    self.close()  # a late answer would be taken for the answer to the next request
                    raise ChannelError(f"the session has not answered for {SILENT_S:g} s{self._advice()}")
                answer = json.loads(self._pipe.recv_bytes(MAX_MESSAGE))
        except (EOFError, OSError):
            raise ChannelError("the session has ended") from None
        if "error" in answer:
            raise EarmarkError.of_kind(answer.get("kind", ""), answer["error"], ChannelError)
        return answer["result"]

    def close(self) -> None:
        """Disconnect."""
        self._pipe.close()


def is_served(folder: Path) -> bool:
    """Whether a session is running in a folder and answers."""
    try:
        Client(folder).close()
    except ChannelError:
        return False
    return True


def has_died(folder: Path) -> bool:
    """Whether a session in a folder crashed: its address file is there, but no process holds its lock."""
    return (folder / ADDRESS).exists() and not is_held(folder / LOCK)


def _connect(port: int, token: bytes) -> Connection:
    """Return an authenticated connection."""
    caller = socket.create_connection(("127.0.0.1", port), timeout=SILENT_S)
    caller.settimeout(None)
    pipe = Connection(caller.detach())
    timeout = threading.Timer(SILENT_S, _disconnect, (pipe,))
    timeout.start()
    try:
        connection.answer_challenge(pipe, token)
        connection.deliver_challenge(pipe, token)
    except BaseException:
        timeout.cancel()
        timeout.join()
        pipe.close()
        raise
    timeout.cancel()
    timeout.join()
    return pipe


def _disconnect(pipe: Connection) -> None:
    """Shut the socket down, which unblocks a thread that reads from it; the thread that owns the pipe closes it."""
    try:
        with socket.fromfd(pipe.fileno(), socket.AF_INET, socket.SOCK_STREAM) as twin:
            twin.shutdown(socket.SHUT_RDWR)
    except OSError:  # already closed
        log.debug("a connection of the channel was already closed")


def _address(path: Path) -> dict[str, Any]:
    """Content of the address file; empty if the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _write_for_owner(path: Path, value: Mapping[str, Any]) -> None:
    """Write a file atomically, readable by its owner only from the first instant on."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file)
    new.replace(path)
