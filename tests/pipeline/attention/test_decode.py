"""The node that scores aligned signals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from planted import SMALL, planted

from earmark.pipeline.attention.decode import Decode, DecodeConfig
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.sliding import Score
from earmark.pipeline.stream import Aligned, ClockMap, Gap, StreamSpec, WiringError

DECODER = LinearDecoder(SMALL, [1.0], [0.2]).fit([planted(0), planted(1)])
RUN = planted(7, seconds=12)


def aligned(n_channels=6, n_talkers=2, sfreq=32.0):
    names = tuple(f"E{i + 1}" for i in range(n_channels)) + tuple(f"a/{k}" for k in range(n_talkers))
    types = ("eeg",) * n_channels + ("misc",) * n_talkers
    return StreamSpec("align", sfreq, names, types, ("uV",) * len(names), hop=8, wait=0.25)


def items(run, step=8, bad=None):
    return [
        Aligned(i, run.neural[i : i + step], run.talkers[:, i : i + step], bad) for i in range(0, len(run.neural), step)
    ]


def node(**config):
    made = Decode(DecodeConfig(**{"hop_s": 0.25, **config}), DECODER)
    made.open(aligned())
    return made


def through(one, found):
    return [out for item in found for out in one.process(item)]


def test_every_hop_is_scored_and_the_delay_declared():
    one = Decode(DecodeConfig(0.25), DECODER)
    spec = one.open(aligned())
    assert spec.sfreq == 4.0
    assert spec.n_channels == 2
    assert spec.wait == pytest.approx(0.25 + 4 / 32)
    scores = through(one, items(RUN))
    assert len(scores) == (384 - 4) // 8 - 7
    assert np.mean([s.scores.argmax() == 0 for s in scores]) > 0.9


def test_chunking_and_restoring_do_not_change_a_bit():
    wanted = [s.scores.tobytes() for s in through(node(), items(RUN))]
    assert [s.scores.tobytes() for s in through(node(), items(RUN, 5))] == wanted
    first, second = node(), node()
    found = through(first, items(RUN)[:20])
    second.restore(first.state())
    found += through(second, items(RUN)[20:])
    assert [s.scores.tobytes() for s in found] == wanted


def test_gaps_and_other_items_are_passed_on():
    clock, cut = ClockMap(0, 0, 1 / 32), items(RUN)
    end = Gap(160, 160)
    out = through(node(), [clock, *cut[:20], end, *cut[20:]])
    assert out[0] is clock
    assert end in out
    assert sum(isinstance(o, Score) for o in out) == len(through(node(), cut))  # no sample is missing in an empty gap
    late = [o for o in through(node(), [*cut[:20], Gap(160, 168), *cut[21:]]) if isinstance(o, Score)]
    assert not any(160 <= s.newest < 168 or s.start < 168 <= s.stop for s in late)


def test_bad_channel_does_not_contribute():
    bad = np.array([False, True, False, False, False, False])
    wild = replace(RUN, neural=RUN.neural.copy())
    wild.neural[:, 1] = 1e9
    zero = replace(RUN, neural=np.where(bad, 0.0, RUN.neural))
    found = [s.scores.tobytes() for s in through(node(), items(wild, bad=bad))]
    assert found == [s.scores.tobytes() for s in through(node(), items(zero))]


@pytest.mark.parametrize(
    ("spec", "config", "words"),
    [
        (aligned(5), {}, "channels missing: E6"),
        (aligned(sfreq=64.0), {}, "rate 64 Hz instead of 32 Hz"),
        (aligned(n_talkers=0), {}, "the output of align"),
        (aligned(), {"features": "spectrogram"}, "'spectrogram' instead of 'envelope'"),
        (aligned(), {"hop_s": 0.3}, "whole samples"),
    ],
)
def test_misfit_of_stream_and_decoder_is_rejected_on_open(spec, config, words):
    with pytest.raises(WiringError, match="decode") as error:
        Decode(DecodeConfig(**{"hop_s": 0.25, **config}), DECODER).open(spec)
    assert words in str(error.value)
    assert "unfit" not in str(error.value)


def test_of_many_missing_channels_the_message_has_the_number_and_the_first():
    decoder = LinearDecoder(SMALL, (1.0,), (0.0,)).fit([planted(0, n_channels=20)])
    spec = aligned()
    spec = replace(spec, ch_names=tuple(name.replace("E", "X") for name in spec.ch_names))
    words = r"^decode: .*missing: 20 \(E1, E2, E3, E4, E5, …\); .*not know: X1, X2, X3, X4, X5, X6: name a decoder that"
    with pytest.raises(WiringError, match=words):
        Decode(DecodeConfig(hop_s=0.25), decoder).open(spec)
