import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("soundfile")

from mixtures import FRAMING, mixture, spectra_of  # noqa: E402

from benchmarks import train_mask  # noqa: E402
from earmark.pipeline.scene.array import preset  # noqa: E402
from earmark.pipeline.scene.network import SHAPES, BeamFeatures, NetworkMasks  # noqa: E402
from earmark.pipeline.scene.transform import Synthesis  # noqa: E402

TWO = np.array([-30.0, 40.0])
GLASSES = preset("glasses6")


def scene(seed=0):
    """A scene as rooms give it, of waves in the open."""
    talkers, noise = mixture(GLASSES, TWO, 1.0, seed=seed)
    front, spectra = BeamFeatures(GLASSES, FRAMING), spectra_of(talkers.sum(axis=0) + noise)
    features = []
    for one in spectra:
        front.push(one, TWO)
        features.append(front.values[0].reshape(-1).astype(np.float16))
    return {
        "features": np.array(features),
        "mixture": spectra[:, 0],
        "talkers": np.abs(spectra_of(talkers[:, 0])).transpose(1, 0, 2).astype(np.float16),
        "early": talkers[:, 0].astype(np.float32),
    }


def test_parameters_have_the_names_and_shapes_of_the_separator():
    assert {name: tuple(one.shape) for name, one in train_mask.Network().state_dict().items()} == SHAPES


def test_samples_are_those_of_the_synthesis():
    spectra = scene()["mixture"]
    synthesis = Synthesis(FRAMING, 1)
    wanted = np.concatenate([synthesis.push(one[None]).copy()[0] for one in spectra])[FRAMING.hop :]
    found = train_mask.samples(torch.from_numpy(spectra.copy())).numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_masks_in_training_are_those_of_the_separator():
    """Of both places: the second hears what the first does, with the beams exchanged."""
    one, network = scene(), train_mask.Network()
    torch.manual_seed(1)
    torch.nn.init.normal_(network.outward.weight, std=2.0)
    weights = {name: value.detach().numpy() for name, value in network.state_dict().items()}
    talkers, noise = mixture(GLASSES, TWO, 1.0)
    live = NetworkMasks(GLASSES, FRAMING, weights)
    masks = np.stack([live.process(x, TWO).copy() for x in spectra_of(talkers.sum(axis=0) + noise)])
    seen = []
    samples = train_mask.samples
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(train_mask, "samples", lambda x: (seen.append(x), samples(x))[1])
        train_mask.figures(network, [one], [0], len(one["mixture"]))
    mixed, apart = (x[0].numpy() for x in seen)
    heard = np.abs(mixed) > 1e-2
    for place in (0, 1):
        found = (apart[place][heard] / mixed[heard]).real
        np.testing.assert_allclose(found, masks[:, place][heard], atol=0.02)  # features in training have 16 bits
    assert np.ptp(masks) > 0.9


def test_the_ratio_of_signal_and_distortion_does_not_depend_on_scale():
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(1000, generator=torch.Generator().manual_seed(1))
    noise -= (noise @ x) / (x @ x) * x
    noise *= 0.1 * x.norm() / noise.norm()
    for factor in (0.1, 1.0, 30.0):
        assert train_mask.si_sdr(factor * (x + noise), x).item() == pytest.approx(20, abs=1e-3)


def test_training_that_was_stopped_goes_on_as_if_it_had_not(tmp_path, monkeypatch):
    (tmp_path / "speech_voices").mkdir()
    for k in range(30):
        (tmp_path / "speech_voices" / f"{k}.flac").touch()
    made = [scene(k) for k in range(3)]
    monkeypatch.setattr(train_mask, "simulate", lambda files, number: made)
    for name, value in {"BATCH": 2, "CROP": 40, "VALIDATION_ROOMS": 0, "FIRST_ROOMS": 1}.items():
        monkeypatch.setattr(train_mask, name, value)
    monkeypatch.setattr(train_mask, "validated", lambda network, scenes: "")
    outs = [tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"]
    train_mask.main(outs[0], tmp_path, tmp_path / "whole", 4, 1)

    class Stopped(Exception):
        """The machine is needed."""

    save = torch.save
    steps = []

    def stopping(now, path):
        save(now, path)
        steps.append(now["step"])

    monkeypatch.setattr(train_mask, "KEEP", 2)
    monkeypatch.setattr(torch, "save", stopping)
    rename = train_mask.Path.rename

    def stop(path, target):
        rename(path, target)
        if steps == [2]:
            raise Stopped

    monkeypatch.setattr(train_mask.Path, "rename", stop)
    with pytest.raises(Stopped):
        train_mask.main(outs[1], tmp_path, tmp_path / "parts", 4, 1)
    train_mask.main(outs[1], tmp_path, tmp_path / "parts", 4, 1)
    assert steps == [2, 4]
    assert outs[0].read_bytes() == outs[1].read_bytes()
