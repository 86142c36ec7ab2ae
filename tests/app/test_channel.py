"""The command channel: real sockets, real strangers."""

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from multiprocessing import AuthenticationError, connection

import pytest

from app.channel import ADDRESS, MAX_CONNECTIONS, ChannelError, Client, Refused, Server, has_died, is_served


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


def test_requests_are_answered_refused_or_told_to_have_failed(client, caplog):
    assert client.about == {"kind": "live"}
    assert client.send("echo", talker=1, text="ä", none=None) == {"talker": 1, "text": "ä", "none": None}
    with pytest.raises(ChannelError, match=r"^not now$"):
        client.send("no")
    with pytest.raises(ChannelError, match="failed: KeyError"):
        client.send("what")
    assert client.send("echo") == {}, "and it goes on"


@pytest.mark.parametrize("message", [b"", b"{", b"[]", b'{"with": {}}', b'{"do": 1}', b'{"do": "echo", "with": 2}'])
def test_what_is_no_request_is_said_to_be_none(client, message):
    client._pipe.send_bytes(message)
    assert "a request is" in json.loads(client._pipe.recv_bytes())["error"]
    assert client.send("echo", a=1) == {"a": 1}


def test_only_its_owner_can_read_the_file_and_it_goes_with_the_server(tmp_path):
    server = Server(tmp_path, handle, {})
    path = tmp_path / ADDRESS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert is_served(tmp_path)
    server.close()
    assert not path.exists()
    assert not is_served(tmp_path)
    with pytest.raises(ChannelError, match="no session is under way"):
        Client(tmp_path)


def test_a_stranger_without_the_token_is_refused_and_holds_up_nobody(server, tmp_path, client):
    with pytest.raises((AuthenticationError, EOFError, OSError)):
        connection.Client(("127.0.0.1", port(tmp_path)), authkey=b"guess").recv_bytes()
    silent = [socket.create_connection(("127.0.0.1", port(tmp_path))) for _ in range(3)]
    assert server._listener.address[0] == "127.0.0.1", "nothing outside this machine reaches it"
    assert client.send("echo", a=1) == {"a": 1}
    other = Client(tmp_path)
    assert other.send("echo", b=1) == {"b": 1}
    other.close()
    for one in silent:
        one.close()


def test_no_more_connections_than_allowed(server, tmp_path):
    silent = [socket.create_connection(("127.0.0.1", port(tmp_path))) for _ in range(MAX_CONNECTIONS)]
    extra = socket.create_connection(("127.0.0.1", port(tmp_path)))
    extra.settimeout(10)
    assert extra.recv(1) == b"", "closed at once"
    for one in (*silent, extra):
        one.close()


def test_somebody_who_sends_too_much_is_cut_off(server, tmp_path, client):
    rude = Client(tmp_path)
    with pytest.raises(ChannelError, match="has ended"):
        rude.send("echo", text="x" * (1 << 21))
    rude.close()
    assert client.send("echo") == {}


def test_a_folder_has_one_session_and_what_a_dead_one_left_is_taken_over(tmp_path):
    (tmp_path / ADDRESS).write_text(json.dumps({"port": 1, "token": "00"}))
    with pytest.raises(ChannelError, match="left from one that died"):
        Client(tmp_path)
    server = Server(tmp_path, handle, {})
    with pytest.raises(ChannelError, match="under way"):
        Server(tmp_path, handle, {})
    assert is_served(tmp_path), "the first one is still reached"
    server.close()


def test_a_session_that_died_is_told_from_one_that_goes_on_or_has_ended(tmp_path):
    pytest.importorskip("psutil", reason="not installed: pip install 'earmark[desktop]'")
    assert not has_died(tmp_path), "there was none"
    server = Server(tmp_path, handle, {"pid": os.getpid()})
    assert not has_died(tmp_path), "it goes on"
    server.close()
    assert not has_died(tmp_path), "it has ended in good order"
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (tmp_path / ADDRESS).write_text(json.dumps({"port": 1, "token": "00", "pid": process.pid}))
    assert not has_died(tmp_path), "it may say nothing, but is there"
    process.stdin.close()
    end = time.monotonic() + 20
    while not has_died(tmp_path):  # although nobody has taken note of its end
        assert time.monotonic() < end
        time.sleep(0.01)
    process.wait()
    assert has_died(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": "x"}', '{"pid": -1}', '{"pid": 1e99}', '{"pid": null}'])
def test_nobody_is_said_to_have_died_by_a_damaged_file(tmp_path, text):
    pytest.importorskip("psutil", reason="not installed: pip install 'earmark[desktop]'")
    (tmp_path / ADDRESS).write_text(text)
    assert not has_died(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"port": "x", "token": "00"}', '{"port": 1, "token": "zz"}'])
def test_a_damaged_file_is_said_to_be_one(tmp_path, text):
    (tmp_path / ADDRESS).write_text(text)
    with pytest.raises(ChannelError, match="cannot be read"):
        Client(tmp_path)


def test_closing_wakes_those_who_wait(tmp_path):
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
    thread.join(10)
    assert not thread.is_alive()
    assert answer == ["the session has ended"]
    assert not os.path.exists(tmp_path / ADDRESS)
