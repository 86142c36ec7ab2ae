"""Kinds of events, and the intervals that events begin and end."""

from __future__ import annotations

import math

import pytest

from earmark.app.engine.timeline import Kind, Timeline, kind_of


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("note: a door slammed", Kind.NOTE),
        ("answer: How many? 5", Kind.ANSWER),
        ("Cue: attend to Joe.", Kind.CUE),
        ("operator: Joe", Kind.OVERRIDE),
        ("operator: follow decisions", Kind.OVERRIDE),
        ("operator: channel Fp1 is bad", Kind.OTHER),
        ("operator: the calibration ends after this trial", Kind.OTHER),
        ("trim: Ada -6 dB", Kind.TRIM),
        ("MUTED", Kind.MUTE),
        ("unmuted", Kind.MUTE),
        ("paused: the mix is neutral", Kind.PAUSE),
        ("eeg: 40 samples missing from index 1200 on", Kind.GAP),
        ("eeg: the graph fell behind by 1.2 s; samples are skipped from index 7 on", Kind.GAP),
        ("eeg: was lost: looking for it", Kind.GAP),
        ("ALARM: the engine was lost; gains hold", Kind.ALARM),
        ("engine: real-time priority", Kind.OTHER),
    ],
)
def test_kind_of_an_event(words, kind):
    assert kind_of(words) is kind


def spans(events):
    return [(one.kind.value, one.begin, one.end) for one in Timeline(events).spans]


def test_intervals_begin_and_end_by_events():
    events = [
        (1.0, "operator: Joe"),
        (2.0, "operator: Ada"),
        (3.0, "MUTED"),
        (4.0, "operator: follow decisions"),
        (5.0, "unmuted"),
        (6.0, "trim: Ada Lovelace -6 dB"),
        (7.0, "trim: Joe muted"),
        (8.0, "trim: Ada Lovelace 0 dB"),
        (9.0, "operator: channel E1 is bad"),
        (10.0, "paused: the mix is neutral"),
        (11.0, "resumed"),
    ]
    assert spans(events) == [
        ("override", 1.0, 2.0),
        ("override", 2.0, 4.0),
        ("mute", 3.0, 5.0),
        ("trim", 6.0, 8.0),
        ("trim", 7.0, math.inf),
        ("pause", 10.0, 11.0),
    ]
    assert spans([(1.0, "operator: follow decisions"), (2.0, "unmuted")]) == []


def test_what_lasts_is_not_forgotten():
    found = Timeline([(1.0, "MUTED"), (2.0, "trim: Joe -3 dB"), (3.0, "trim: Joe 0 dB"), (9.0, "note: x")])
    found.forget(5.0)
    assert [mark.words for mark in found.marks] == ["note: x"]
    assert [(one.kind, one.begin) for one in found.spans] == [(Kind.MUTE, 1.0)]
    found.forget(6.0)
    found.add(10.0, "unmuted")
    assert found.spans[0].end == 10.0
