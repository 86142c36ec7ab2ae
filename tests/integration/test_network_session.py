"""A compiled network in a live session: its scores are recorded, and late scores are handled."""

import contextlib
import threading
import time
from dataclasses import replace

import numpy as np
import pylsl
import pytest
import senders
import torch
from planted import planted
from rig import ENV, recording, replayed, sender
from test_live_equals_replay import earmark
from test_loop_faults import STEERED, closed_loop, decisions

from earmark.app.commands.compile import BackendName, compile_decoder
from earmark.app.config.backends import PrecisionName
from earmark.app.config.session import ConfigError, parse_config
from earmark.app.engine.engine import Engine
from earmark.app.engine.live_network import RecordedNetwork
from earmark.app.replay.session import ReplaySession
from earmark.app.replay.verify import Replay
from earmark.app.session.preflight import _decoder as check_decoder
from earmark.devices.files.decoder_folder import Facts, load_decoder, save_decoder
from earmark.devices.files.journal import NetworkBackend, Scores
from earmark.devices.files.session_file import SessionFile
from earmark.devices.sources.lsl_description import make_info
from earmark.kernels.runtime import BACKENDS
from earmark.kernels.runtime.eager_cpu import _Eager
from earmark.kernels.runtime.onnx import _Session
from earmark.pipeline.attention.emissions import Emissions
from earmark.pipeline.decoders.baselines import EegNetDecoder
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.decoders.network_decoder import network_preset
from earmark.pipeline.decoders.presets import EEG
from earmark.pipeline.decoders.training import TrainingConfig
from earmark.pipeline.stream import Decision, StreamSpec

pytestmark = pytest.mark.skipif(bool(BACKENDS["onnx"].absent()), reason=f"onnx: {BACKENDS['onnx'].absent()}")

BOTH = 'backends = ["onnx", "eager_cpu"]'
ATTENTION = """
[streams.eeg]
source_id = "{name}"
[streams.speech]
source_id = "{name}-speech"
ch_type = "misc"
[attention]
decoder = "network"
fallback = "linear"
enter = 0.55
leave = 0.5
deadline_s = 1.0
hop_s = 0.25
backends = ["onnx", "eager_cpu"]
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Save a network and a linear decoder for the senders' electrodes. Their decisions are random."""
    place = tmp_path_factory.mktemp("decoders")
    names = tuple(f"E{k}" for k in range(senders.N_CHANNELS))
    made_up = [planted(k, n_channels=senders.N_CHANNELS, sfreq=EEG.sfreq, seconds=20.0) for k in range(3)]
    runs = [replace(run, ch_names=names) for run in made_up]
    facts = Facts(0.5, 0.5, 40, ("made up",), 60.0, Emissions(0.1, -0.1, 0.05, 0.0, 100.0))
    network = EegNetDecoder(network_preset(EEG), TrainingConfig(epochs=1, seed=0)).fit(runs)
    save_decoder(place / "network", network, facts)
    save_decoder(place / "linear", LinearDecoder(EEG, [1.0], [0.2]).fit(runs), facts)
    return place


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def engines(folders):
    """Compile the network; return the cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folders / "cache"))
        backends = [BackendName.ONNX, BackendName.EAGER_CPU]
        compile_decoder(folders / "network", backends, PrecisionName.FLOAT32, talkers=2, run=None)
    return folders / "cache"


@pytest.fixture
def compiled(engines, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(engines))
    monkeypatch.setitem(ENV, "XDG_CACHE_HOME", str(engines))


@contextlib.contextmanager
def speech(source_id):
    """Send two random envelopes from this process."""
    spec = StreamSpec(f"speech {source_id}", 128.0, ("a", "b"), ("misc",) * 2, ("",) * 2)
    outlet, stop = pylsl.StreamOutlet(make_info(spec, "Envelope", f"{source_id}-speech")), threading.Event()
    begun = pylsl.local_clock()

    def send():
        rng, n = np.random.default_rng(0), 0
        while not stop.wait(0.02):
            due = int((pylsl.local_clock() - begun) * 128.0)
            if due > n:
                chunk = np.abs(rng.normal(size=(due - n, 2))).astype(np.float32)
                outlet.push_chunk(chunk, begun + (due - 1) / 128.0)
                n = due

    thread = threading.Thread(target=send)
    thread.start()
    yield
    stop.set()
    thread.join()


def test_network_scores_steer_and_are_recorded_and_replayed(tmp_path, source_id, folders, compiled):
    with sender("plain", source_id), closed_loop(tmp_path, source_id, folders / "network", more=BOTH) as rig:
        rig.wait_until_steered()
        counts = rig.loop.engine_status.decisions
        assert counts.scored_by == "onnx"
        assert rig.has_event("network: onnx on CPU, float32, within")
    rig.check_sound()
    run = Replay(SessionFile(rig.loop.path))
    run.run()
    assert all(found.identical for found in run.outputs.values())
    answered = run.network
    assert answered.backends == ["onnx (CPU, float32)", "eager_cpu (CPU, float32)"]
    n_scored = sum(np.isfinite(one.scores).all() for one in decisions(rig.loop.path))
    assert (answered.n_answers, answered.n_missed, answered.n_wrong) == (n_scored, 0, 0)
    assert n_scored > 0
    assert answered.largest > 0
    assert answered.difference < 1e-4 * answered.largest
    (tmp_path / "watched").mkdir()
    networks = set()
    with ReplaySession(rig.loop.path, tmp_path / "watched") as session:
        while (state := session.status()).state != "review":
            if (monitor := session.player.monitor) is not None:
                networks.add(monitor.status().decisions.scored_by)
            time.sleep(0.05)
        assert state.events[-1].text.endswith("identical: the replay gave the live output, bit for bit")
    assert networks - {""} == {"onnx"}


def test_hanging_backends_are_replaced_by_the_next_and_then_by_the_fallback(
    tmp_path, source_id, folders, compiled, monkeypatch
):
    """Missing scores are also missing in the replay."""
    hung, free = {_Session: threading.Event(), _Eager: threading.Event()}, threading.Event()
    for kind, hangs in hung.items():

        def run_into(self, x, out, hangs=hangs, run=kind.run_into):
            if hangs.is_set():
                free.wait()
            run(self, x, out)

        monkeypatch.setattr(kind, "run_into", run_into)
    text = ATTENTION.format(name=source_id)
    for name in ("network", "linear"):
        (tmp_path / name).symlink_to(folders / name)
    with sender("plain", source_id), speech(source_id), recording(text, tmp_path) as rig:
        engine, after = rig.engine, {}
        scored = lambda: engine.ledger.latency.n  # noqa: E731
        for kind, backend, words in (
            (_Session, "eager_cpu", "the network on onnx was late too often: eager_cpu takes over"),
            (_Eager, "", "the fallback decoder takes over"),
        ):
            before = scored()
            rig.wait_for(lambda before=before: scored() > before + 3)
            hung[kind].set()
            rig.wait_for(lambda words=words: any(words in event for event in rig.events))
            after[kind] = engine.ledger.n_dropped
            assert engine.scored_by == backend
        before = scored()
        rig.wait_for(lambda: scored() > before + 3)
    free.set()
    assert after[_Session] == 3
    assert after[_Eager] == 6
    assert engine.ledger.n_demoted == 2
    found = replayed(rig.path)["attend"]
    decided = [one for one in found if isinstance(one, Decision)]
    assert STEERED in [one.situation for one in decided]


def test_session_without_sound_is_recorded_and_replayed(tmp_path, source_id, folders, compiled):
    for name in ("network", "linear"):
        (tmp_path / name).symlink_to(folders / name)
    (tmp_path / "session.toml").write_text(ATTENTION.format(name=source_id))
    with sender("plain", source_id), speech(source_id):
        done = earmark("record", tmp_path / "session.toml", "--out", tmp_path / "out", "--seconds", 6)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (tmp_path / "out").glob("session-*.xdf")
    verified = earmark("replay", path, "--verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert "Scored live by onnx (CPU, float32) or eager_cpu (CPU, float32)" in verified.stdout
    assert "identical: the replay gave the live output, bit for bit" in verified.stdout


def test_network_that_is_not_compiled_is_refused(source_id, folders, empty_cache):
    words = f"not compiled for onnx, float32 and 2 talkers; first run: earmark compile {folders / 'network'} --backend"
    config = parse_config(ATTENTION.format(name=source_id), "test", folders)
    with sender("plain", source_id), speech(source_id), pytest.raises(ConfigError, match=words):
        Engine(config).connect()
    specs = {
        "eeg": StreamSpec("eeg", 500.0, tuple(f"E{k}" for k in range(8)), ("eeg",) * 8, ("uV",) * 8),
        "speech": StreamSpec("speech", 128.0, ("a", "b"), ("misc",) * 2, ("",) * 2),
    }
    check = check_decoder(config, specs)
    assert not check.ok
    assert words in check.words


def test_backends_are_refused_for_a_linear_decoder(source_id, folders):
    text = ATTENTION.format(name=source_id).replace('decoder = "network"', 'decoder = "linear"')
    config = parse_config(text, "test", folders)
    with (
        sender("plain", source_id),
        speech(source_id),
        pytest.raises(ConfigError, match="linear runs in NumPy and needs none: remove 'backends'"),
    ):
        Engine(config).connect()


def test_scores_of_another_network_are_detected(folders):
    """A replay checks recorded scores against those of the decoder beside the recording."""
    decoder, _ = load_decoder(folders / "network")
    module, example = decoder.network(2)
    rng = np.random.default_rng(0)
    noise = [[rng.normal(size=x.shape).astype(np.float32) for x in example] for _ in range(4)]
    windows = [[torch.from_numpy(x) for x in one] for one in noise]
    with torch.no_grad():
        right = [module(*window).tolist() for window in windows]
    masked = [torch.zeros_like(windows[0][0]), windows[0][1]]  # differences are rounding errors only
    given = [Scores("onnx", one) for one in (right[0], None, right[2], [1e-9, -1e-9], right[1])]
    about = [NetworkBackend("onnx", "CPU", "float32")]
    network = RecordedNetwork(decoder, 2, given, about)
    asked = [windows[0], windows[1], windows[2], masked, windows[3], windows[1]]
    with torch.no_grad():
        scores = [network(*window).tolist() for window in asked]
    assert scores[0] == right[0]
    assert np.isnan(scores[1]).all()
    assert scores[4] == right[1], "the recorded scores are used"
    assert scores[5] == right[1], "after the last recorded scores, the network is run"
    assert (network.n_answers, network.n_missed, network.n_wrong) == (5, 1, 1)
    with pytest.raises(ConfigError, match="1 scores for 2 talkers"):
        RecordedNetwork(decoder, 2, [Scores("onnx", (0.5,))], about)(*windows[0])
