import dataclasses
import os
import re
import signal
import subprocess
import sys
import uuid

import pylsl
import pytest

from earmark.devices.sources.lsl_description import StreamError, describe_xml
from earmark.devices.sources.lsl_search import Search, StreamSelector, find_one, find_streams, successor


@pytest.fixture
def source_id():
    return f"test-{uuid.uuid4().hex[:12]}"


@dataclasses.dataclass
class Info:
    """A stream that answers, in place of liblsl's."""

    _uid: str
    _name: str = "amp"
    _type: str = "EEG"
    _source_id: str = ""
    _hostname: str = "PC-A"

    def __getattr__(self, key):
        return lambda: self.__dict__[f"_{key}"]


def lost(source_id="", host="PC-A", uid="old"):
    info = pylsl.StreamInfo("amp", "EEG", 2, 100.0, "float32", source_id)
    return dataclasses.replace(describe_xml(info.as_xml()), uid=uid, host=host)


class Answers(Search):
    """A search that has found these streams."""

    def __init__(self, *found):
        self._found = list(found)

    def found(self):
        return self._found

    settled = True


@pytest.mark.parametrize(
    ("found", "uid"),
    [
        ([Info("new", _source_id="sn1")], "new"),
        ([Info("twin", _source_id="sn2"), Info("new", _source_id="sn1")], "new"),
        ([Info("twin", _source_id="sn1", _hostname="PC-B"), Info("new", _source_id="sn1")], "new"),
        ([Info("other", _name="another amplifier")], None),
        ([Info("markers", _type="Markers", _source_id="sn1")], None),
        ([Info("new", _source_id="made up")], "new"),
        ([Info("old", _source_id="sn1"), Info("twin", _source_id="sn1")], "old"),
    ],
)
def test_lost_sender_is_recognised_by_source_id_and_host(found, uid):
    info, why = successor(lost("sn1"), found)
    assert (info and info.uid()) == uid
    assert not why


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([Info("b", _source_id="sn1", _hostname="PC-B")], "is on host 'PC-B', but this one was on 'PC-A': not taken"),
        ([Info("b", _hostname="PC-B")], "is on host 'PC-B', but this one was on 'PC-A': not taken"),
        (
            [Info("b", _source_id="x"), Info("c", _source_id="y")],
            r"2 streams .* \(source_id 'x', 'y'\): stop all but one",
        ),
    ],
)
def test_other_streams_are_rejected_with_a_reason(found, words):
    for source_id in ("sn1", ""):
        info, why = successor(lost(source_id), found)
        assert info is None
        assert re.search(words, why)


def test_pausing_sender_is_replaced_only_by_the_same_identity():
    paused = Info("old", _source_id="sn1")
    assert successor(lost("sn1"), [paused, Info("twin", _source_id="sn2")], paused=True) == (None, "")
    info, _ = successor(lost("sn1"), [paused, Info("new", _source_id="sn1")], paused=True)
    assert info.uid() == "new"
    assert successor(lost(""), [Info("old"), Info("twin")], paused=True) == (None, "")


def test_stream_that_did_not_fit_is_skipped():
    found = [Info("wrong", _source_id="sn1"), Info("right", _source_id="sn1")]
    info, _ = successor(lost("sn1"), found, refused={"wrong"})
    assert info.uid() == "right"
    assert successor(lost("sn1"), found[:1], refused={"wrong"}) == (None, "")


DRAWN = "-7163772056624930625", "1245266527110005046"


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (  # two amplifiers of one name, with what pylsl makes up for their ids
            [Info("a", _source_id=DRAWN[0]), Info("b", _source_id=DRAWN[1], _hostname="PC-B")],
            r'Name one by its host: host = "PC-A" in \[streams.eeg\]',
        ),
        ([Info("a"), Info("b", _hostname="PC-B")], r'Name one by its host: host = "PC-A" in \[streams.eeg\]'),
        ([Info("a", _source_id="sn1"), Info("b", _source_id="sn2")], r'source_id = "sn1" in \[streams.eeg\]'),
        ([Info("a"), Info("b", _name="cap")], r'name = "amp" in \[streams.eeg\]'),
        (
            [Info("a"), Info("b", _name="cap"), Info("c", _hostname="PC-B")],
            r'Name one by its host and name: host = "PC-A", name = "amp" in \[streams.eeg\]',
        ),
        ([Info("a", _source_id=DRAWN[0]), Info("b", _source_id=DRAWN[1])], "Nothing that lasts tells them apart: stop"),
        ([Info("a"), Info("b")], "Nothing that lasts tells them apart: stop one"),
    ],
)
def test_ambiguous_streams_are_distinguished_by_lasting_fields(found, words):
    with pytest.raises(StreamError, match=words):
        find_one(StreamSelector(type="EEG"), 1.0, Answers(*found), "[streams.eeg]")


def test_no_setting_is_advised_where_none_is_possible():
    with pytest.raises(StreamError, match="Stop one, or give each a name of its own"):
        find_one(StreamSelector(name="amp"), 1.0, Answers(Info("a"), Info("b", _hostname="PC-B")))


def test_a_stream_is_found_by_its_host(source_id):
    outlet = pylsl.StreamOutlet(pylsl.StreamInfo("amp", "EEG", 1, 100.0, "float32", source_id))
    (mine,) = find_streams(StreamSelector(source_id=source_id), 10.0, at_least=1)
    assert len(find_streams(StreamSelector(source_id=source_id, host=mine.hostname()), 10.0, at_least=1)) == 1
    assert find_streams(StreamSelector(source_id=source_id, host="PC-A"), 1.0) == []
    with pytest.raises(StreamError, match=f"'amp' .*host '{mine.hostname()}'"):
        find_one(StreamSelector(source_id=source_id, host="PC-A"), 0.1)
    del outlet


def test_stream_that_answers_every_query_is_not_used():
    selector = StreamSelector(name="amp", source_id="sn1")
    assert selector.fits(Info("a", _source_id="sn1"))
    assert not selector.fits(Info("a", _source_id="sn2"))
    search = Search(selector)
    search._resolver = type(
        "", (), {"results": lambda self: [Info("a", _source_id="sn2"), Info("b", _source_id="sn1")]}
    )()
    assert [info.uid() for info in search.found()] == ["b"]


SENDER = """
import pylsl, sys, time
outlet = pylsl.StreamOutlet(pylsl.StreamInfo(sys.argv[1], "EEG", 1, 100.0, "float32", sys.argv[1]))
print("there", flush=True)
time.sleep(600)
"""
FINDER = """
import sys, time
from earmark.devices.sources.lsl_search import StreamSelector, find_one
begun = time.monotonic()
print(find_one(StreamSelector(name=sys.argv[1]), 20.0).name(), time.monotonic() - begun)
"""


def test_a_stream_that_answers_late_is_found_as_soon_as_it_answers(source_id, tmp_path):
    """Multicast reaches nobody, as on many networks: the sender answers only once liblsl asks a known peer."""
    configs = [tmp_path / "sender.cfg", tmp_path / "us.cfg"]
    late = "[tuning]\nMulticastMinRTT = 0.8\n"
    for path, group, more in zip(configs, ("239.7.7.7", "239.9.9.9"), ("", late), strict=True):
        path.write_text(
            f"[lab]\nSessionID = {source_id}\nKnownPeers = {{127.0.0.1}}\n[log]\nlevel = -2\n"
            f"[multicast]\nAddressesOverride = {{{group}}}\nTTLOverride = 0\n{more}"
        )
    env = [{**os.environ, "LSLAPICFG": str(path), "PYTHONPATH": os.pathsep.join(sys.path)} for path in configs]
    sender = subprocess.Popen([sys.executable, "-c", SENDER, source_id], env=env[0], stdout=subprocess.PIPE)
    try:
        with sender.stdout as said:
            assert said.readline()
        found = subprocess.run(
            [sys.executable, "-c", FINDER, source_id], env=env[1], capture_output=True, text=True, check=False
        )
    finally:
        sender.kill()
        sender.wait()
    assert found.stdout.startswith(source_id), found.stderr
    assert float(found.stdout.split()[1]) > 0.7, "it was the second wave that found it"


def on_host(host, *arguments):
    """A process on a computer of another name."""
    command = ["unshare", "--uts", "sh", "-c", f'hostname {host} && exec "$@"', "sh", sys.executable, "-c", *arguments]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


TWIN = """
import pylsl, sys, time
outlet = pylsl.StreamOutlet(pylsl.StreamInfo(sys.argv[1], "EEG", 1, 100.0, "float32", ""))
print("there", flush=True)
time.sleep(600)
"""


def test_two_amplifiers_of_one_name_are_distinguished_by_host(source_id):
    senders = [on_host(host, TWIN, source_id) for host in ("PC-A", "PC-B")]
    try:
        for sender in senders:
            with sender.stdout as said:
                if not said.readline():
                    pytest.skip("another name of the computer needs the rights of root")
        name = StreamSelector(name=source_id)
        find_streams(name, 10.0, at_least=2)
        with pytest.raises(StreamError, match=r'Name one by its host: host = "PC-[AB]" in \[streams.eeg\]'):
            find_one(name, 10.0, table="[streams.eeg]")
        for host in ("PC-A", "PC-B"):
            assert find_one(StreamSelector(name=source_id, host=host), 10.0).hostname() == host
    finally:
        for sender in senders:
            sender.kill()
            sender.wait()


def test_ctrl_c_stops_a_search(source_id):
    search = (
        "from earmark.devices.sources.lsl_search import *; print(1, flush=True); "
        "find_one(StreamSelector(name='{}'), 600.0)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", search.format(source_id)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with process.stdout as out, process.stderr as said:
        assert out.readline()
        process.send_signal(signal.SIGINT)
        assert b"KeyboardInterrupt" in said.read(), "and not after the ten minutes that were to be waited"
        process.wait()
