"""Two to eight talkers: configuration, sound, training and decisions support the same numbers."""

import dataclasses

import numpy as np
import pytest
import soundfile

from earmark.app.bench.loop import simulated_runs
from earmark.app.config.protocol import Calibration, RunPlan
from earmark.app.config.session import ConfigError, parse_config
from earmark.app.training.fit import train_and_save
from earmark.app.training.runs import maker
from earmark.devices.audio.control_block import MAX_TALKERS
from earmark.devices.audio.prepare import prepare
from earmark.devices.simulate.listener import PRESETS, Listener
from earmark.pipeline.attention.decoding_graph import CONTROL
from earmark.pipeline.attention.emissions import TALKERS
from earmark.pipeline.control import Tick, TimedControl
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.stream import Block, ClockMap, Decision, StreamSpec

NAMES = tuple(f"talker {k}" for k in range(1, 9))
CLEAR = dataclasses.replace(PRESETS["easy"], response_uv=12.0, ignored=0.1, wandering=0.0)
SESSION = """
[streams.eeg]
type = "EEG"
[streams.speech]
name = "s"
ch_type = "misc"
[attention]
decoder = "decoder"
[sound]
device = "null"
"""


def session(names, folder):
    talkers = "".join(f'[[sound.talkers]]\nname = "{name}"\nsource = "{name}.wav"\nloop = true\n' for name in names)
    return parse_config(SESSION + talkers, "session.toml", folder)


def test_sound_and_decoding_support_the_same_numbers_of_talkers():
    assert max(TALKERS) == MAX_TALKERS == 8


@pytest.mark.parametrize(
    ("n", "words"),
    [(1, r"\[sound\] has 1 talker, but \[attention\] needs 2 to 8"), (9, "sound.talkers has 9 entries.* at most 8")],
)
def test_configuration_refuses_other_numbers_of_talkers(n, words, tmp_path):
    with pytest.raises(ConfigError, match=words):
        session([f"t{k}" for k in range(n)], tmp_path)


@pytest.mark.parametrize("n", [2, 5, 8])
def test_session_is_prepared_trained_and_decides(n, tmp_path):
    names = NAMES[:n]
    rng = np.random.default_rng(n)
    for name in names:
        soundfile.write(tmp_path / f"{name}.wav", 0.1 * rng.standard_normal(48_000), 48_000)
    config = session(names, tmp_path)
    assert len(prepare(config.sound.scene(tmp_path)).pcm) == n
    cues = Calibration(n_trials=2 * n, trial_s=10.0).cues(names)
    assert sorted({who for _, who in cues} - {""}) == sorted(names)
    assert len(RunPlan(seconds=80.0, switch_every_s=10.0).cues(names)) == 8

    facts = train_and_save(
        simulated_runs(CLEAR, max(n, 4), 24.0, names), maker("linear", EEG), EEG, tmp_path / "decoder"
    )
    assert facts.chance_level == 1 / n
    assert facts.accuracy > 2 / (n + 1), "well above chance, because this listener's responses are large"

    wanted = n - 1
    decisions = decided(config, n, wanted)
    assert {decision.gains.shape for decision in decisions} == {(n,)}
    late = decisions[len(decisions) // 2 :]
    assert np.mean([decision.talker == wanted for decision in late]) > 0.8
    assert late[-1].gains[wanted] == max(late[-1].gains) > min(late[-1].gains)


def decided(config, n, attended, seconds=30):
    """Decisions of a session's graph for a simulated listener who attends to one talker."""
    rng, sfreq = np.random.default_rng(99), EEG.sfreq
    smooth = np.hanning(9) / np.hanning(9).sum()
    envelopes = [np.convolve(np.abs(rng.standard_normal(round(seconds * sfreq))), smooth, "same") for _ in range(n)]
    person = Listener(CLEAR, n, seed=99)
    person.attend(attended, 0.0)
    person.hear(np.arange(len(envelopes[0])) / sfreq, np.stack(envelopes))
    eeg = person.listen(round(seconds * CLEAR.sfreq))
    graph = config.graph()
    specs = {"eeg": person.spec, "speech": StreamSpec("s", sfreq, NAMES[:n], ("misc",) * n, ("",) * n)}
    graph.open(config.sources(specs))
    fed = [("eeg", ClockMap(0.0, person.time(0), 1 / CLEAR.sfreq)), ("speech", ClockMap(0.0, 0.0, 1 / sfreq))]
    for at in range(seconds):
        for name, data, rate in (("eeg", eeg, CLEAR.sfreq), ("speech", np.stack(envelopes, axis=1), sfreq)):
            a, b = round(at * rate), round((at + 1) * rate)
            fed.append((name, Block(a, data[a:b])))
        fed.append((CONTROL, TimedControl(at + 1.0, Tick())))
    items = [item for name, piece in fed for _, item in graph.feed(name, piece)]
    return [item for item in items if isinstance(item, Decision)]
