"""Commands over the channel: typed arguments are parsed by the type of the parameter."""

from types import SimpleNamespace

import pytest

from earmark.app.config.protocol import RunPlan
from earmark.app.session.channel import ChannelError, Client, Refused, Server
from earmark.app.session.requests import carry_out
from earmark.app.session.supervisor import Supervisor


@pytest.fixture
def got():
    return []


@pytest.fixture
def supervisor(got):
    """The real commands, on a session that only records the calls."""
    keep = lambda *values: got.append(values)  # noqa: E731
    made = object.__new__(Supervisor)
    made.protocol = SimpleNamespace(run=RunPlan())
    made.session = SimpleNamespace(
        talkers=["Joe", "1", "Ada"],
        task=SimpleNamespace(question="How much?", answer=keep),
        note=keep,
        override=keep,
        trim=keep,
        place=keep,
        mute=keep,
        run=lambda mode, plan, seconds: keep(mode.value, seconds),
        sound=SimpleNamespace(master=keep),
    )
    return made


@pytest.fixture
def client(supervisor, tmp_path):
    server = Server(tmp_path, lambda command, arguments: carry_out(supervisor, command, arguments), {})
    made = Client(tmp_path)
    yield made
    made.close()
    server.close()


@pytest.mark.parametrize(
    ("command", "said", "wanted"),
    [
        ("answer", {"text": "5"}, ("5", "operator", None)),
        ("answer", {"text": "null"}, ("null", "operator", None)),
        ("answer", {"text": "05", "by": "participant", "asked": "2"}, ("05", "participant", 2)),
        ("note", {"text": "12"}, ("12",)),
        ("note", {"text": "true"}, ("true",)),
        ("note", {"text": '"so"'}, ('"so"',)),
        ("note", {"text": "[1]"}, ("[1]",)),
        ("note", {"text": "ärger = groß"}, ("ärger = groß",)),
        ("override", {"talker": "null"}, (None,)),
        ("override", {"talker": "equal"}, ("equal",)),
        ("override", {"talker": "2"}, (2,)),
        ("override", {"talker": "Ada"}, (2,)),
        ("override", {"talker": "1"}, (1,)),
        ("trim", {"talker": "0", "db": "-6"}, (0, -6, None)),
        ("place", {"talker": "Ada", "azimuth": "-30"}, (2, -30)),
        ("trim", {"talker": "Joe", "mute": "true"}, (0, None, True)),
        ("mute", {"on": "false"}, (False,)),
        ("mute", {}, (True,)),
        ("master", {"db": "-3.5"}, (-3.5,)),
        ("run", {"mode": "open", "seconds": "60"}, ("open", 60)),
    ],
)
def test_typed_arguments_are_parsed_by_parameter_type(client, got, command, said, wanted):
    client.send_typed(command, said)
    assert got == [wanted]


def test_talker_name_takes_precedence_over_number(supervisor, got):
    supervisor.session.talkers = ["2", "1", "Ada"]
    carry_out(supervisor, "override", {"talker": "2"})
    carry_out(supervisor, "override", {"talker": 2})  # a program sends an index
    assert got == [(0,), (2,)]


def test_arguments_from_programs_keep_their_type(client, got):
    client.send("note", text="12")
    with pytest.raises(ChannelError, match=r"^note: text is 12, but must be text in quotes; it takes text$"):
        client.send("note", text=12)
    assert got == [("12",)]


@pytest.mark.parametrize(
    ("command", "said", "words"),
    [
        ("mute", {"on": "maybe"}, "mute: on is 'maybe', but must be true or false; it takes on"),
        ("master", {"db": "3"}, "master: db is 3, but must be at most 0; it takes db"),
        ("master", {"db": "loud"}, "master: db is 'loud', but must be a number; it takes db"),
        ("master", {}, "master: key 'db' is missing; it takes db"),
        ("note", {"text": ""}, "note: text is '', but must be text that is not empty; it takes text"),
        ("stop", {"now": "1"}, "stop: unknown key 'now'; it takes nothing"),
        ("trim", {"talker": "Jo"}, "trim: give db=-6 or mute=true"),
        ("override", {"talker": "Jo"}, "there is no talker Jo; choose 0 or Joe, 1 or 1, 2 or Ada"),
    ],
)
def test_wrong_arguments_are_refused_with_a_message(supervisor, tmp_path, command, said, words):
    from earmark.app.session.channel import TypedText

    with pytest.raises(Refused) as refused:
        carry_out(supervisor, command, {name: TypedText(text) for name, text in said.items()})
    assert str(refused.value) == words
