"""Protocols: balanced orders that depend only on the seed, and clear errors."""

from collections import Counter
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from earmark.app.config.protocol import (
    Calibration,
    Protocol,
    ProtocolError,
    QuestionConfig,
    RunPlan,
    draw_order,
    load_protocol,
    parse_protocol,
)
from earmark.app.session.templates import PROTOCOL

TALKERS = st.integers(2, 5).map(lambda n: [f"t{i}" for i in range(n)])
SEEDS = st.integers(0, 2**32)


def rows(order):
    return [len(list(same)) for _, same in groupby(order)]


@given(TALKERS, st.integers(0, 60), st.integers(1, 3), SEEDS)
def test_orders_are_balanced_without_long_rows(talkers, n, most, seed):
    order = draw_order(talkers, n, most, seed)
    counts = [order.count(name) for name in talkers]
    assert len(order) == n
    assert max(counts) - min(counts) <= 1
    assert max(rows(order), default=0) <= most
    assert order == draw_order(talkers, n, most, seed)


def test_orders_depend_on_the_seed_and_start_in_every_way():
    orders = {tuple(draw_order(["a", "b"], 12, 2, seed)) for seed in range(50)}
    assert len(orders) > 30
    assert {order[:2] for order in orders} == {("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")}
    assert any(2 in rows(order) for order in orders)


def test_order_of_a_single_talker_is_refused():
    with pytest.raises(ProtocolError, match="two talkers or more"):
        draw_order(["a"], 4, 2, 0)


@given(TALKERS, st.integers(1, 8), st.floats(0.5, 60), st.floats(0, 10), SEEDS)
def test_trials_follow_one_another_with_rests_between(talkers, n_each, trial_s, pause_s, seed):
    n = n_each * len(talkers)
    if n < 3:
        n = 3 * len(talkers)
    cues = Calibration(n_trials=n, trial_s=trial_s, pause_s=pause_s, seed=seed).cues(talkers)
    trials = [(at, name) for at, name in cues if name]
    assert Counter(name for _, name in trials) == dict.fromkeys(talkers, n // len(talkers))
    assert max(rows([name for _, name in trials])) <= 2
    assert cues[0][0] == 0
    assert cues[-1][1] == ""
    assert all(a <= b for (a, _), (b, _) in pairwise(cues))
    assert cues[-1][0] == pytest.approx(n * trial_s + (n - 1) * pause_s)
    for (at, name), (end, _) in pairwise(cues):
        assert end - at == pytest.approx(trial_s if name else pause_s)
    assert len(cues) == (2 * n if pause_s else n + 1)


def test_random_order_is_drawn_trial_by_trial():
    orders = [[n for _, n in Calibration(n_trials=9, order="random", seed=s).cues(["a", "b"]) if n] for s in range(40)]
    assert len({tuple(order) for order in orders}) > 30
    assert any(max(rows(order)) > 2 for order in orders)
    assert {len(order) for order in orders} == {9}


def test_trials_can_be_listed():
    text = "".join(
        f'[[calibration.trials]]\nattend = "{name}"\nseconds = {s}\nrest_s = {r}\n'
        for name, s, r in (("a", 3.0, 1.0), ("b", 4.0, 0.0), ("a", 5.0, 2.0))
    )
    plan = parse_protocol(text, "x").calibration
    assert plan.cues(["a", "b"]) == [(0, "a"), (3, ""), (4, "b"), (8, "a"), (13, "")]
    with pytest.raises(ProtocolError, match=r"number 2: attend is 'b', but the talkers of .sound. are a, c"):
        plan.cues(["a", "c"])
    with pytest.raises(ProtocolError, match="'c' is never attended"):
        plan.cues(["a", "b", "c"])


def test_number_of_trials_must_be_a_multiple_of_the_talkers():
    with pytest.raises(ProtocolError, match="n_trials is 7, but must be a multiple of 2"):
        Calibration(n_trials=7).cues(["a", "b"])


@given(TALKERS, st.floats(1, 500), st.floats(5, 100), SEEDS)
def test_runs_switch_at_each_cue(talkers, seconds, every, seed):
    plan = RunPlan(seconds=seconds, switch_every_s=every, seed=seed)
    cues = plan.cues(talkers)
    assert [at for at, _ in cues] == pytest.approx([i * every for i in range(len(cues))])
    assert cues[-1][0] < seconds
    assert cues[-1][0] + every >= seconds - 1e-6
    assert all(a != b for (_, a), (_, b) in pairwise(cues))
    assert plan.cues(talkers, seconds + 2 * every)[0][0] == 0
    assert len(plan.cues(talkers, seconds + 2 * every)) == len(cues) + 2


def test_runs_have_no_cues_by_default_and_cues_can_be_listed():
    assert RunPlan().cues(["a", "b"]) == []
    plan = RunPlan.model_validate({"cues": [{"at_s": 0.0, "attend": "a"}, {"at_s": 5.0, "attend": ""}]})
    assert plan.cues(["a", "b"]) == [(0, "a"), (5, "")]
    assert plan.cues(["a", "b"], 5.0) == [(0, "a")]
    with pytest.raises(ProtocolError, match=r"run\.cues number 1"):
        plan.cues(["b", "c"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[calibration]\nn_trial = 4", "x: unknown key 'calibration.n_trial': did you mean 'n_trials'?"),
        ("[zzz]", "unknown key 'zzz'; known are calibration, participant, run"),
        ("[calibration]\nn_trials = 2", "calibration.n_trials is 2, but"),
        ('[calibration]\norder = "latin"', "calibration.order is 'latin', but"),
        ("[calibration]\ntrial_s = -1.0", "calibration.trial_s is -1.0, but"),
        ('[calibration]\ntrial_s = "8"', "calibration.trial_s is '8', but"),
        ("[run]\nseconds = inf", "run.seconds is inf, but"),
        ('[[run.cues]]\nat = 1.0\nattend = "a"', "[[run.cues]] number 1: unknown key 'at': did you mean 'at_s'?"),
        ("[[run.cues]]\nat_s = 1.0", "[[run.cues]] number 1: key 'attend' is missing"),
        ('[[calibration.trials]]\nattend = "a"\nseconds = 4.0', "has 1 trials, but must have 3"),
        (
            "[calibration]\nn_trials = 4\n" + '[[calibration.trials]]\nattend = "a"\nseconds = 4.0\n' * 3,
            "has trials and n_trials",
        ),
        ('[run]\nswitch_every_s = 4.0\n[[run.cues]]\nat_s = 1.0\nattend = "a"', "has cues and switch_every_s"),
        ('[[run.cues]]\nat_s = 1.0\nattend = "a"\n[[run.cues]]\nat_s = 1.0\nattend = "b"', "must increase"),
        ("[run", "x is not valid TOML"),
        ('[participant]\nrests = "Ruhe"', "unknown key 'participant.rests': did you mean 'rest'?"),
        ("[participant]\nrest = 5", "participant.rest is 5, but must be text in quotes"),
        (f'[participant]\nend = "{"x" * 201}"', "but must be text of at most 200 characters"),
        (f'[participant]\nrun = "{"x" * 1001}"', "but must be text of at most 1000 characters"),
        ('[participant]\nlisten = "Hear {Name}"', "participant.listen is 'Hear {Name}', but: the only name in braces"),
        ("[run]\nquestions = [5]", "run.questions number 1 is 5, but: it must be text in quotes, or a table"),
        ('[run]\nquestions = [""]', "[[run.questions]] number 1: text is '', but must be text that is not empty"),
        ('[run]\nquestions = [{ txt = "a" }]', "number 1: unknown key 'txt': did you mean 'text'?"),
        ('[run]\nquestions = [{ text = "a", options = ["b"] }]', "number 1: options is ['b'], but: it must have two"),
        ('[run]\nquestions = [{ text = "a", options = ["b", "b"] }]', "two answers or more, each different"),
        ('[run]\nquestions = [{ text = "a", options = ["b", ""] }]', "options number 2 is '', but must be text"),
    ],
)
def test_mistakes_are_named_with_their_place(text, words):
    with pytest.raises(ProtocolError) as caught:
        parse_protocol(text, "x")
    assert words in str(caught.value)
    assert str(caught.value).startswith("x")


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ("How hard was it to follow? 1-7", tuple("1234567")),
        ("Wie schwer? (0–10)", tuple(map(str, range(11)))),
        ("How good? -2 - 2", ("-2", "-1", "0", "1", "2")),
        ("How loud? 0-100", ()),
        ("On 2026-11-28", ()),
        ("Which part? 7-1", ()),
        ("Why?", ()),
    ],
)
def test_scale_at_the_end_of_a_question_gives_its_answers(text, answers):
    assert QuestionConfig(text=text).answers == answers


def test_questions_and_texts_are_read_and_recorded_as_in_the_file():
    text = """
        [calibration]
        questions = ["How? 1-3", { text = "Verstanden?", options = ["ja", "nein"] }]
        [participant]
        listen = "{name}さんの声を聞いてください"
        rest = ""
    """
    protocol = parse_protocol(text, "x")
    assert [one.answers for one in protocol.questions] == [("1", "2", "3"), ("ja", "nein")]
    assert protocol.calibration.model_dump(mode="json")["questions"] == [
        "How? 1-3",
        {"text": "Verstanden?", "options": ["ja", "nein"]},
    ]
    assert protocol.participant.rest == ""
    assert protocol.participant.end == "Thank you"


def test_protocol_files_are_read_or_refused(tmp_path):
    path = tmp_path / "protocol.toml"
    with pytest.raises(ProtocolError, match="no such file; 'earmark new'"):
        load_protocol(path)
    path.write_text(PROTOCOL.format(seed=5))
    protocol = load_protocol(path)
    assert protocol.calibration.seed == protocol.run.seed == 5
    assert len(protocol.calibration.cues(["Joe", "Ada"])) == 24
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ProtocolError, match="cannot be read"):
        load_protocol(path)
    path.write_text("")
    assert load_protocol(path) == Protocol()
