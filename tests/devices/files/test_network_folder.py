"""Network folders round-trip bit by bit, damaged ones are refused, and the text describes the network."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import numpy as np
import pytest
from fitted_networks import PLACES, QUICK, SIZE, fitted, make
from planted import planted

from earmark.devices.files.decoder_folder import TEXT, WEIGHTS, Facts, load_decoder, save_decoder
from earmark.pipeline.decoders.baselines import VlaaiDecoder
from earmark.pipeline.decoders.decoder import DecoderError
from earmark.pipeline.decoders.networks import n_parameters

FACTS = Facts(0.625, 0.5, 57, ("a" * 64,), 120.0, None, 0.66)
RUN = planted(9)


@pytest.fixture(scope="module", params=["matcher", "placed", "eegnet"])
def saved(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "d"
    save_decoder(folder, fitted(request.param), FACTS)
    return folder, fitted(request.param)


def test_round_trip_is_bit_identical(saved):
    folder, decoder = saved
    loaded, facts = load_decoder(folder)
    assert type(loaded) is type(decoder)
    assert (loaded.spec, loaded.preset, loaded.config) == (decoder.spec, decoder.preset, decoder.config)
    assert (loaded.chosen, loaded.listeners, loaded.shape()) == (decoder.chosen, decoder.listeners, decoder.shape())
    assert facts == FACTS
    wanted = decoder.score(RUN.neural, RUN.talkers)
    assert loaded.score(RUN.neural, RUN.talkers).tobytes() == wanted.tobytes()
    assert set(loaded.arrays()) == set(decoder.arrays())


def test_text_states_accuracy_and_latency(saved):
    folder, decoder = saved
    table = tomllib.loads((folder / TEXT).read_text())
    assert table["facts"]["experimental"] is True
    assert table["facts"]["linear_accuracy"] == 0.66
    assert table["chosen"]["n_parameters"] == n_parameters(decoder.net)
    assert table["chosen"]["multiply_adds"] > table["chosen"]["multiply_adds_per_s"] > 0


@pytest.mark.parametrize(
    ("accuracy", "linear", "experimental"),
    [(0.7, 0.6, False), (0.6, 0.6, True), (0.5, 0.6, True), (float("nan"), 0.6, True), (0.5, None, False)],
)
def test_network_not_shown_to_be_better_is_experimental(tmp_path, accuracy, linear, experimental):
    facts = replace(FACTS, accuracy=accuracy, linear_accuracy=linear)
    assert facts.experimental is experimental


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('kind = "matcher"', 'kind = "deep"', "linear, cca, matcher"),
        ("width = 12", "width = 13", "must be finite"),
        ("dilations = [1, 2]", 'dilations = ["1"]', "must hold whole numbers"),
        ("dilations = [1, 2]", "dilations = [1, 2, 4]", "another network"),
        ("mixed = false", "mixed = 0", "mixed is 0"),
        ("epochs = 2", "epochs = true", "epochs is True"),
        ("tmax = 0.125", "tmax = 0.25", "is damaged"),
        ("listeners = ", "hearers = ", "listeners is missing"),
    ],
)
def test_invalid_text_is_refused(tmp_path, old, new, words):
    save_decoder(tmp_path / "d", fitted("matcher"), FACTS)
    text = (tmp_path / "d" / TEXT).read_text()
    assert old in text
    (tmp_path / "d" / TEXT).write_text(text.replace(old, new))
    with pytest.raises(DecoderError) as error:
        load_decoder(tmp_path / "d")
    assert words in str(error.value)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    import hashlib

    from safetensors.numpy import load, save

    save_decoder(tmp_path / "d", fitted("eegnet"), FACTS)
    path, text = tmp_path / "d" / WEIGHTS, tmp_path / "d" / TEXT
    arrays = load(path.read_bytes())
    old = hashlib.sha256(path.read_bytes()).hexdigest()
    arrays["weights"][0] = np.nan
    path.write_bytes(save(arrays))
    text.write_text(text.read_text().replace(old, hashlib.sha256(path.read_bytes()).hexdigest()))
    with pytest.raises(DecoderError, match="finite"):
        load_decoder(tmp_path / "d")


def test_unfitted_network_is_not_saved(tmp_path):
    with pytest.raises(DecoderError, match="not fitted"):
        save_decoder(tmp_path / "d", VlaaiDecoder(), FACTS)


def test_loaded_base_can_be_trained_further(tmp_path):
    save_decoder(tmp_path / "d", fitted("placed"), FACTS)
    base, _ = load_decoder(tmp_path / "d")
    assert base.size == SIZE
    assert set(base.positions) == set(PLACES)
    runs = [planted(40 + i) for i in range(2)]
    tuned = make("placed", config=replace(QUICK, epochs=1), base=base).fit(runs)
    assert tuned.chosen.epochs <= 1
