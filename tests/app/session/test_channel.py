"""The command channel, over real sockets."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from multiprocessing import AuthenticationError, connection

import pytest

from earmark.app.session import channel
from earmark.app.session.channel import (
    ADDRESS,
    MAX_CONNECTIONS,
    MAX_UNPROVEN,
    ChannelError,
    Client,
    Refused,
    Server,
    has_died,
    is_served,
)


def handle(command, arguments):
    if command == "echo":
        return arguments
    if command == "no":
        raise Refused("not now")
    raise KeyError(command)


@pytest.fixture
def server(tmp_path):
    made = Server(tmp_path, handle, {"kind": "live"})
    yield made
    made.close()


@pytest.fixture
def client(server, tmp_path):
    made = Client(tmp_path)
    yield made
    made.close()


def port(folder):
    return json.loads((folder / ADDRESS).read_text())["port"]


def test_requests_return_an_answer_a_refusal_or_an_error(client, caplog):
    assert client.about == {"kind": "live", "pid": os.getpid()}
    assert client.send("echo", talker=1, text="ä", none=None) == {"talker": 1, "text": "ä", "none": None}
    with pytest.raises(ChannelError, match=r"^not now$"):
        client.send("no")
    with pytest.raises(ChannelError, match="failed: KeyError"):
        client.send("what")
    assert client.send("echo") == {}, "the connection still works"


@pytest.mark.parametrize("message", [b"", b"{", b"[]", b'{"with": {}}', b'{"do": 1}', b'{"do": "echo", "with": 2}'])
def test_malformed_requests_get_an_error(client, message):
    client._pipe.send_bytes(message)
    assert "a request is" in json.loads(client._pipe.recv_bytes())["error"]
    assert client.send("echo", a=1) == {"a": 1}


def test_address_file_is_private_and_removed_on_close(tmp_path):
    server = Server(tmp_path, handle, {})
    path = tmp_path / ADDRESS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert is_served(tmp_path)
    server.close()
    assert not path.exists()
    assert not is_served(tmp_path)
    with pytest.raises(ChannelError, match="no session is under way"):
        Client(tmp_path)


def test_client_without_token_is_refused_and_blocks_nobody(server, tmp_path, client):
    with pytest.raises((AuthenticationError, EOFError, OSError)):
        connection.Client(("127.0.0.1", port(tmp_path)), authkey=b"guess").recv_bytes()
    silent = [socket.create_connection(("127.0.0.1", port(tmp_path))) for _ in range(3)]
    assert server._listener.getsockname()[0] == "127.0.0.1", "not reachable from other machines"
    assert client.send("echo", a=1) == {"a": 1}
    other = Client(tmp_path)
    assert other.send("echo", b=1) == {"b": 1}
    other.close()
    for one in silent:
        one.close()


def call(folder):
    caller = socket.create_connection(("127.0.0.1", port(folder)))
    caller.settimeout(20)
    return caller


def hung_up(caller):
    """Read until the other side closes the connection."""
    try:
        while caller.recv(1024):
            pass
    except ConnectionResetError:
        pass
    return True


def test_unauthenticated_connections_time_out_and_use_no_slot(server, tmp_path, client):
    silent = [call(tmp_path) for _ in range(2 * MAX_UNPROVEN)]
    drips = silent[-1]
    others = [Client(tmp_path) for _ in range(MAX_CONNECTIONS - 1)]
    assert all(other.send("echo", a=1) == {"a": 1} for other in (client, *others)), "while the others wait"
    with contextlib.suppress(OSError):
        for _ in range(2000):  # sending byte by byte does not extend the time limit
            drips.send(b"\x00")
            time.sleep(0.01)
        pytest.fail("it was not disconnected")
    for one in silent:
        assert hung_up(one)
        one.close()
    assert client.send("echo", a=2) == {"a": 2}
    for other in others:
        other.close()


def test_excess_connection_gets_an_error(server, tmp_path, client):
    others = [Client(tmp_path) for _ in range(MAX_CONNECTIONS - 1)]
    assert all(one.send("echo") == {} for one in (client, *others)), "the session has counted all of them"
    extra = Client(tmp_path)
    with pytest.raises(ChannelError, match=f"{MAX_CONNECTIONS} connections .* are open"):
        extra.send("echo")
    assert client.send("echo") == {}
    for other in (*others, extra):
        other.close()


def test_client_waits_for_a_slow_answer(tmp_path, monkeypatch):
    monkeypatch.setattr(channel, "SILENT_S", 1.0)
    monkeypatch.setattr(channel, "WORKING_S", 0.1)
    server = Server(tmp_path, lambda command, arguments: time.sleep(3.0), {})
    client = Client(tmp_path)
    assert client.send("train") is None
    client.close()
    server.close()


SESSION = """
import sys
from pathlib import Path
from earmark.app.session.channel import Server
server = Server(Path(sys.argv[1]), lambda command, arguments: arguments, {})
print("there", flush=True)
sys.stdin.read()
server.close()
"""


@pytest.fixture
def session(tmp_path):
    """A session in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", SESSION, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "there\n"
        yield process
        process.send_signal(signal.SIGCONT)


def test_stopped_session_is_reported_and_not_taken_for_dead(session, tmp_path, monkeypatch):
    monkeypatch.setattr(channel, "SILENT_S", 1.0)
    client = Client(tmp_path)
    address = (tmp_path / ADDRESS).read_bytes()
    session.send_signal(signal.SIGSTOP)
    with pytest.raises(ChannelError, match=f"has not answered for 1 s.*kill -CONT {session.pid}"):
        client.send("echo")
    with pytest.raises(ChannelError, match="has ended"):
        client.send("echo")
    with pytest.raises(ChannelError, match=f"does not answer.*kill -CONT {session.pid}"):
        Client(tmp_path)
    assert not has_died(tmp_path)
    with pytest.raises(ChannelError, match="under way"):
        Server(tmp_path, handle, {})
    assert (tmp_path / ADDRESS).read_bytes() == address
    session.send_signal(signal.SIGCONT)
    assert Client(tmp_path).send("echo", a=1) == {"a": 1}, "it is still reachable"


def test_session_with_full_channel_keeps_its_folder(server, tmp_path):
    clients = [Client(tmp_path) for _ in range(MAX_CONNECTIONS)]
    address = (tmp_path / ADDRESS).read_bytes()
    with pytest.raises(ChannelError, match="under way"):
        Server(tmp_path, handle, {})
    assert (tmp_path / ADDRESS).read_bytes() == address
    for one in clients:
        one.close()


def test_close_does_not_remove_the_address_of_another_session(tmp_path):
    """The folder of a running session was moved, and another session started in its place."""
    folder, moved = tmp_path / "alice", tmp_path / "moved"
    folder.mkdir()
    first = Server(folder, handle, {})
    folder.rename(moved)
    folder.mkdir()
    second = Server(folder, handle, {})
    first.close()
    assert Client(folder).send("echo", a=1) == {"a": 1}
    with pytest.raises(ChannelError, match="under way"):
        Server(folder, handle, {})
    second.close()


def test_client_with_too_long_a_message_is_disconnected(server, tmp_path, client):
    rude = Client(tmp_path)
    with pytest.raises(ChannelError, match="has ended"):
        rude.send("echo", text="x" * (1 << 21))
    rude.close()
    assert client.send("echo") == {}


def test_one_session_per_folder_and_stale_address_is_replaced(tmp_path):
    (tmp_path / ADDRESS).write_text(json.dumps({"port": 1, "token": "00"}))
    with pytest.raises(ChannelError, match="is from one that crashed"):
        Client(tmp_path)
    server = Server(tmp_path, handle, {})
    with pytest.raises(ChannelError, match="under way"):
        Server(tmp_path, handle, {})
    assert is_served(tmp_path), "the first one is still reachable"
    server.close()


def test_has_died_only_after_a_crash(session, tmp_path):
    assert not has_died(tmp_path), "it is running"
    session.send_signal(signal.SIGSTOP)
    assert not has_died(tmp_path), "it is stopped, but exists"
    session.kill()
    end = time.monotonic() + 180
    while not has_died(tmp_path):  # although its parent has not waited for it yet
        assert time.monotonic() < end
        time.sleep(0.01)
    with pytest.raises(ChannelError, match="is from one that crashed"):
        Client(tmp_path)
    server = Server(tmp_path, handle, {})
    assert not has_died(tmp_path), "another one is running"
    server.close()
    assert not has_died(tmp_path), "it ended normally"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"port": "x", "token": "00"}', '{"port": 1, "token": "zz"}'])
def test_damaged_address_file_is_reported(tmp_path, text):
    (tmp_path / ADDRESS).write_text(text)
    with pytest.raises(ChannelError, match="cannot be read"):
        Client(tmp_path)


def test_command_that_ends_the_session_is_answered(tmp_path):
    ended = threading.Event()

    def handle(command, arguments):
        ended.set()
        time.sleep(0.5)  # a busy machine
        return "ends"

    server, client, answer = Server(tmp_path, handle, {}), Client(tmp_path), []
    thread = threading.Thread(target=lambda: answer.append(client.send("shutdown")))
    thread.start()
    assert ended.wait(180)
    server.close()
    thread.join(180)
    assert answer == ["ends"]


def test_close_waits_for_an_answer_only_for_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(channel, "ANSWER_S", 0.1)
    working, free = threading.Event(), threading.Event()

    def handle(command, arguments):
        working.set()
        free.wait(180)

    def ask():
        with contextlib.suppress(ChannelError):
            client.send("run")

    server, client = Server(tmp_path, handle, {}), Client(tmp_path)
    thread = threading.Thread(target=ask)
    thread.start()
    assert working.wait(180)
    server.close()
    assert not free.is_set()
    free.set()
    thread.join(180)


def test_close_unblocks_waiting_clients(tmp_path):
    server, client = Server(tmp_path, handle, {}), Client(tmp_path)
    answer = []

    def ask():
        try:
            client.send("echo")
            client.send("echo")
        except ChannelError as error:
            answer.append(str(error))

    server.close()
    thread = threading.Thread(target=ask)
    thread.start()
    thread.join(180)
    assert not thread.is_alive()
    assert answer == ["the session has ended"]
    assert not os.path.exists(tmp_path / ADDRESS)


def test_a_folder_that_does_not_exist_is_told_from_one_without_a_session(tmp_path):
    (tmp_path / "file").touch()
    for name, words in (
        ("nowhere", "there is no such folder"),
        ("file", "it is a file"),
        ("", "start one ('earmark run', 'earmark serve'), or name its folder"),
    ):
        with pytest.raises(ChannelError, match=re.escape(words)):
            Client(tmp_path / name)
