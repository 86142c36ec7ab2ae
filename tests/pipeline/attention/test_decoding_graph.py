"""The decoding graph: output does not depend on chunking, gaps and masks are kept, and errors are clear."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from earmark.pipeline.attention.decoding_graph import NEURAL, decoding_graph
from earmark.pipeline.decoders.presets import EEG, IEEG
from earmark.pipeline.stream import Aligned, Block, ClockMap, Gap, StreamSpec, WiringError

SECONDS, GAP = 8, (3.0, 3.5)


def neural(sfreq=500.0, n=5, kind="seeg"):
    return StreamSpec("neural", sfreq, tuple(f"A{i + 1}" for i in range(n)), (kind,) * n, ("uV",) * n)


def speech(sfreq=128.0):
    return StreamSpec("voice", sfreq, ("envelope",), ("misc",), ("",))


def opened(preset, spec, n_talkers=2):
    graph = decoding_graph(preset, "neural", [f"talker {k}" for k in range(n_talkers)], 1, 2.0)
    graph.open({"neural": spec, **{f"talker {k}": speech() for k in range(n_talkers)}})
    return graph


def signal(sfreq, n, seed):
    return np.random.default_rng(seed).normal(0, 20, (round(SECONDS * sfreq), n))


def pieces(name, x, sfreq, cuts, gap=None):
    """A stream as (arrival time, name, item), divided at some instants, without the samples in the gap."""
    found = [(0.0, name, ClockMap(0.0, 50.0, 1 / sfreq))]
    inside = [round(g * sfreq) for g in gap] if gap else []
    edges = sorted({0, len(x), *inside, *(round(c * sfreq) for c in cuts)})
    for a, b in pairwise(edges):
        lost = gap and inside[0] <= a < inside[1]
        if not lost:
            found.append((b / sfreq, name, Block(a, x[a:b])))
        elif a == inside[0]:
            found.append((inside[1] / sfreq, name, Gap(*inside)))
    return [*found, (len(x) / sfreq, name, Gap(len(x), len(x)))]


def play(graph, *streams):
    items = sorted((piece for stream in streams for piece in stream), key=lambda piece: piece[0])
    return [item for _, name, piece in items for _, item in graph.feed(name, piece)]


def by_sample(items):
    """Everything about each sample, bit for bit."""
    return {
        one.start + i: (
            one.neural[i].tobytes(),
            one.talkers[:, i].tobytes(),
            None if one.bad is None else one.bad.tobytes(),
        )
        for one in items
        if isinstance(one, Aligned)
        for i in range(len(one.neural))
    }


cuts = st.lists(st.floats(0.01, SECONDS - 0.01), max_size=12)


@pytest.mark.parametrize(("preset", "kind"), [(EEG, "eeg"), (IEEG, "seeg")])
@settings(max_examples=8, deadline=None)
@given(first=cuts, second=cuts, third=cuts)
def test_chunking_does_not_change_a_bit(preset, kind, first, second, third):
    x, voices = signal(500.0, 5, 0), [np.abs(signal(128.0, 1, k)) for k in (1, 2)]
    x[1200:, 2] = 7.0  # a channel dies: its mask must not depend on chunking either
    found = []
    for at in ((first, second, third), ((), (), ())):
        streams = [pieces("neural", x, 500.0, [*at[0], 2, 4, 6], GAP)]
        streams += [pieces(f"talker {k}", voices[k], 128.0, [*at[k + 1], 1, 2, 3, 4, 5, 6, 7]) for k in (0, 1)]
        found.append(by_sample(play(opened(preset, neural(kind=kind)), *streams)))
    assert found[0] == found[1]
    assert len(found[0]) > 0.85 * (SECONDS - 0.5) * preset.sfreq


def test_gap_is_kept_and_the_end_loses_only_the_delays():
    x, voice = signal(500.0, 5, 0), np.abs(signal(128.0, 1, 1))
    x[1200:, 2] = 7.0
    graph = opened(IEEG, neural(), 1)
    fine = np.arange(0.25, SECONDS, 0.25)
    found = play(graph, pieces("neural", x, 500.0, fine, GAP), pieces("talker 0", voice, 128.0, fine))
    last = next(one for one in reversed(found) if isinstance(one, Aligned))
    assert last.bad is not None
    assert last.bad[[2, 7]].all(), "both bands of the channel that died"
    samples = sorted(by_sample(found))
    assert not [i for i in samples if 300 <= i < 350]
    assert samples[-1] >= SECONDS * 100 - 3, "the neural side, which is the later one, is there to its last sample"


@pytest.mark.parametrize("preset", [EEG, IEEG])
def test_channel_names_are_those_of_the_decoder(preset):
    graph = opened(preset, neural(kind="eeg" if preset is EEG else "ecog"))
    names = ("A1", "A2", "A3", "A4", "A5")
    if preset is IEEG:
        names = tuple(f"{name} {what}" for what in ("high-gamma", "low") for name in names)
    spec = graph.specs[NEURAL]
    assert (spec.ch_names, spec.sfreq) == (names, preset.sfreq)
    assert (spec.highpass, spec.lowpass) == (preset.low_hz, preset.high_hz)


@pytest.mark.parametrize("sfreq", [250.0, 300.0])
def test_sampling_rate_too_low_for_high_gamma_is_rejected(sfreq):
    with pytest.raises(WiringError, match=f"at {sfreq:g} Hz, but must be sampled at more than 300 Hz to hold 150 Hz"):
        opened(IEEG, neural(sfreq))


@pytest.mark.parametrize(("preset", "kind"), [(EEG, "seeg"), (IEEG, "eeg")])
def test_electrode_type_of_another_preset_is_rejected(preset, kind):
    with pytest.raises(WiringError, match=rf"among those of 'neural': \['{kind}'\]"):
        opened(preset, neural(kind=kind))


@pytest.mark.parametrize(("preset", "sfreq"), [(EEG, 500.0), (IEEG, 1000.0)])
@pytest.mark.parametrize("hz", [2.0, 6.0])
def test_simultaneous_modulations_stay_in_phase(preset, sfreq, hz):
    """Voltage, high-gamma amplitude and speech have the same phase, so one decoder can use the same lags for all."""
    t, slow = np.arange(round(SECONDS * sfreq)) / sfreq, np.arange(SECONDS * 128) / 128
    swing = 1 + 0.5 * np.sin(2 * np.pi * hz * t)
    x = np.stack([30 * swing, 30 * swing * np.sin(2 * np.pi * 110 * t)] + [0 * t] * 3, axis=1)
    x += np.random.default_rng(0).normal(0, 0.3, x.shape)
    voice = 1 + 0.5 * np.sin(2 * np.pi * hz * slow)[:, None]
    graph = opened(preset, neural(sfreq, kind="eeg" if preset is EEG else "seeg"), 1)
    fine = np.arange(0.25, SECONDS, 0.25)
    found = play(graph, pieces("neural", x, sfreq, fine), pieces("talker 0", voice, 128.0, fine))
    found = [one for one in found if isinstance(one, Aligned)]
    y = np.concatenate([one.neural for one in found])[-round(4 * preset.sfreq) :]
    spoken = np.concatenate([one.talkers[0] for one in found])[-round(4 * preset.sfreq) :, 0]
    names = graph.specs[NEURAL].ch_names
    wave = np.exp(-2j * np.pi * hz * np.arange(len(y)) / preset.sfreq)
    for name in ("A1",) if preset is EEG else ("A1 low", "A2 high-gamma"):
        phase = np.angle((wave @ y[:, names.index(name)]) / (wave @ spoken))
        assert abs(phase) / (2 * np.pi * hz) < 0.5 / preset.sfreq, name
