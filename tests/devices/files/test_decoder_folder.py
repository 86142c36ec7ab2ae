"""Decoder folders round-trip bit by bit, and damaged ones are refused."""

from __future__ import annotations

import contextlib
import hashlib
import re
import tomllib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planted import SMALL, planted
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from benchmarks.fuzz import NUMBERS
from earmark.devices.files.decoder_folder import TEXT, WEIGHTS, Facts, fingerprint, load_decoder, save_decoder
from earmark.pipeline.decoders.cca import CcaDecoder
from earmark.pipeline.decoders.decoder import DecoderError
from earmark.pipeline.decoders.filterbank import FilterBankDecoder, group_of
from earmark.pipeline.decoders.linear import LinearDecoder

RUNS = [planted(i) for i in range(3)]
FACTS = Facts(0.625, 0.5, 57, tuple(fingerprint(run) for run in RUNS), 120.0)
MADE = {
    "linear": LinearDecoder(SMALL).fit(RUNS),
    "single": LinearDecoder(replace(SMALL, variance=0.9), [0.3], [0.0]).fit(RUNS),
    "cca": CcaDecoder(SMALL, 2).fit(RUNS),
    "filterbank": FilterBankDecoder(SMALL).fit(RUNS),
}


@pytest.mark.parametrize("kind", MADE)
def test_round_trip_is_bit_identical(tmp_path, kind):
    save_decoder(tmp_path / "deep" / "d", MADE[kind], FACTS)
    loaded, facts = load_decoder(tmp_path / "deep" / "d")
    assert type(loaded) is type(MADE[kind])
    assert loaded.spec == MADE[kind].spec
    assert loaded.preset == MADE[kind].preset
    assert facts == FACTS
    part = planted(9).part(0, 70)
    wanted = MADE[kind].score(part.neural, part.talkers)
    assert loaded.score(part.neural, part.talkers).tobytes() == wanted.tobytes()
    assert {p.name for p in (tmp_path / "deep").iterdir()} == {"d"}


def test_decoders_of_earlier_versions_are_read(tmp_path):
    save_decoder(tmp_path / "d", MADE["linear"], FACTS)
    text = (tmp_path / "d" / TEXT).read_text()
    line = next(line for line in text.splitlines() if line.startswith("chance_limit = 0.6"))
    old = text.replace("chance_level", "chance").replace(f"{line}\n", "")
    assert "chance_" not in old
    (tmp_path / "d" / TEXT).write_text(old)
    assert load_decoder(tmp_path / "d")[1] == FACTS


def test_decoders_before_the_tilt_keep_their_signals_and_scores(tmp_path):
    """Their preset has no tilt, their settings no separables, and their votes no dimension for these."""
    untilted = replace(SMALL, low_hz=1.0, high_hz=9.0, tilt_hz=None, separable=0.7)
    made = LinearDecoder(untilted).fit(RUNS)
    save_decoder(tmp_path / "d", made, FACTS)
    arrays = load_arrays((tmp_path / "d" / WEIGHTS).read_bytes())
    weights = save_arrays({**arrays, "votes": arrays["votes"][0]})
    text = re.sub(
        r"(?m)^(centred|separables|single|separable = 0.7\nr) = .*\n", "", (tmp_path / "d" / TEXT).read_text()
    )
    text = re.sub(r'weights_sha256 = "\w+"', f'weights_sha256 = "{hashlib.sha256(weights).hexdigest()}"', text)
    assert not re.search("tilt|centred|separables|single", text)
    (tmp_path / "d" / TEXT).write_text(text)
    (tmp_path / "d" / WEIGHTS).write_bytes(weights)
    loaded = load_decoder(tmp_path / "d")[0]
    assert loaded.preset == untilted
    assert loaded.spec.centred
    part = planted(9).part(0, 70)
    assert loaded.score(part.neural, part.talkers).tobytes() == made.score(part.neural, part.talkers).tobytes()
    np.testing.assert_array_equal(loaded.solve(loaded.moments), made.solve(made.moments))


def test_group_is_kept_with_the_decoder(tmp_path):
    made = FilterBankDecoder(SMALL).fit(RUNS)
    made.lent = group_of([replace(run, subject=who) for who in ("a", "b") for run in RUNS], SMALL)
    save_decoder(tmp_path / "d", made, FACTS)
    loaded = load_decoder(tmp_path / "d")[0]
    assert loaded.lent.n_listeners == 2
    again = [FilterBankDecoder(SMALL, one.lent).fit(RUNS[:2]) for one in (made, loaded)]
    part = planted(9).part(0, 140)
    a, b = (one.score(part.neural, part.talkers) for one in again)
    assert a.tobytes() == b.tobytes()
    assert again[0].chosen.group_listeners == 2


def test_loaded_decoder_can_be_trained_further(tmp_path):
    save_decoder(tmp_path / "d", MADE["linear"], FACTS)
    loaded = load_decoder(tmp_path / "d")[0]
    again = LinearDecoder(SMALL).fit(RUNS).update(planted(9))
    assert np.array_equal(loaded.update(planted(9)).weights, again.weights)


def test_decoder_text_is_readable(tmp_path):
    awkward = replace(RUNS[0], ch_names=("Fp1", 'a"b', "ü\\", "\x7f", "tab\t", "E6"))
    decoder = LinearDecoder(SMALL, [1.0], [0.0]).fit([awkward])
    save_decoder(tmp_path / "d", decoder, replace(FACTS, accuracy=float("nan")))
    table = tomllib.loads((tmp_path / "d" / TEXT).read_text())
    assert tuple(table["spec"]["ch_names"]) == awkward.ch_names
    assert table["facts"]["chance_level"] == 0.5
    assert table["spec"]["kind"] == "linear"
    loaded, facts = load_decoder(tmp_path / "d")
    assert loaded.spec == decoder.spec
    assert np.isnan(facts.accuracy)


def test_write_replaces_only_a_decoder(tmp_path):
    save_decoder(tmp_path / "d", MADE["linear"], FACTS)
    save_decoder(tmp_path / "d", MADE["cca"], FACTS)
    assert isinstance(load_decoder(tmp_path / "d")[0], CcaDecoder)
    (tmp_path / "d" / "notes.txt").write_text("mine")
    with pytest.raises(DecoderError, match="not a decoder"):
        save_decoder(tmp_path / "d", MADE["cca"], FACTS)
    assert (tmp_path / "d" / "notes.txt").read_text() == "mine"
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DecoderError, match="not a decoder"):
        save_decoder(tmp_path / "file", MADE["cca"], FACTS)
    with pytest.raises(DecoderError, match="cannot be written"):
        save_decoder(tmp_path / "file" / "d", MADE["cca"], FACTS)
    with pytest.raises(DecoderError, match="not fitted"):
        save_decoder(tmp_path / "e", LinearDecoder(SMALL), FACTS)
    assert {p.name for p in tmp_path.iterdir()} == {"d", "file"}


def test_failed_write_leaves_the_old_decoder(tmp_path, monkeypatch):
    save_decoder(tmp_path / "d", MADE["linear"], FACTS)
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(DecoderError, match="No space left"):
        save_decoder(tmp_path / "d", MADE["cca"], FACTS)
    assert isinstance(load_decoder(tmp_path / "d")[0], LinearDecoder)
    assert {p.name for p in tmp_path.iterdir()} == {"d"}


def full_disk(_):
    raise OSError(28, "No space left on device")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "d"
    save_decoder(folder, MADE["cca"], FACTS)
    return folder


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_refused_or_harmless(saved, tmp_path, data):
    name = data.draw(st.sampled_from([TEXT, WEIGHTS]))
    content = bytearray((saved / name).read_bytes())
    if data.draw(st.booleans()):
        for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4, unique=True)):
            content[at] ^= data.draw(st.integers(1, 255))
    else:
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    for other in (TEXT, WEIGHTS):
        (tmp_path / other).write_bytes(bytes(content) if other == name else (saved / other).read_bytes())
    try:
        loaded, _ = load_decoder(tmp_path)
    except DecoderError as error:
        message = str(error)
    else:
        message = str(tmp_path)
        # A digit or a name in the text may change to another valid one; weights are always checked.
        assert name == TEXT
        assert np.array_equal(loaded.neural_weights, MADE["cca"].neural_weights)
    assert str(tmp_path) in message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("version = 1", "version = 2", "version 2"),
        ('kind = "cca"', 'kind = "deep"', "no decoder 'deep', only filterbank, linear, cca, matcher"),
        ("n_features = 1", "n_features = 2", "must be float64"),
        ("sfreq = 32.0", "sfreq = true", "sfreq is True"),
        ("sfreq = 32.0", "sfreq = -1.0", "above 0"),
        ("sfreq = 32.0", "speed = 32.0", "speed is not known"),
        ("chance_level = 0.5", "", "facts.chance_level is missing"),
        ("chance_level = 0.5", "chance_level = 0.0", "chance level 0.0 cannot be"),
        ("n_decisions = 57", "n_decisions = -57", "-57 decisions"),
        ("[facts]", "[fact]", "facts is missing"),
        ("[settings]", "[[settings]]", "is damaged"),
    ],
)
def test_invalid_text_is_refused(saved, tmp_path, old, new, words):
    text = (saved / TEXT).read_text()
    assert old in text
    (tmp_path / TEXT).write_text(text.replace(old, new))
    (tmp_path / WEIGHTS).write_bytes((saved / WEIGHTS).read_bytes())
    with pytest.raises(DecoderError) as error:
        load_decoder(tmp_path)
    assert words in str(error.value)
    assert re.search("train .* again|did you mean|only filterbank", str(error.value))
    assert not re.search("KeyError|TypeError|codec", str(error.value))


@pytest.mark.parametrize("number", NUMBERS)
def test_any_number_in_the_text_is_accepted_or_refused(saved, tmp_path, number):
    text = (saved / TEXT).read_text()
    (tmp_path / WEIGHTS).write_bytes((saved / WEIGHTS).read_bytes())
    places = list(re.finditer(r"(?<![\w.])-?\d+(\.\d+)?(?![\w.])", text))
    assert len(places) > 20
    for place in places:
        (tmp_path / TEXT).write_text(text[: place.start()] + number + text[place.end() :])
        with contextlib.suppress(DecoderError):
            load_decoder(tmp_path)


def test_missing_files_are_reported(tmp_path):
    fix = "name the folder that 'earmark train' or 'earmark calibrate' wrote"
    with pytest.raises(DecoderError, match=f"nowhere: no such folder: {fix}"):
        load_decoder(tmp_path / "nowhere")
    (tmp_path / "file").write_text("no folder")
    for path in (tmp_path, tmp_path / "file"):
        with pytest.raises(DecoderError, match=f"is not a decoder, because it has no {TEXT}: {fix}"):
            load_decoder(path)
    save_decoder(tmp_path / "d", MADE["cca"], FACTS)
    (tmp_path / "d" / WEIGHTS).unlink()
    with pytest.raises(DecoderError, match=f"lacks {WEIGHTS}: copy the whole folder again .* or train it again"):
        load_decoder(tmp_path / "d")


def test_a_decoder_whose_text_is_not_text_is_refused_in_plain_words(saved, tmp_path):
    (tmp_path / TEXT).write_bytes(b"\xff\xfe" + (saved / TEXT).read_bytes())
    (tmp_path / WEIGHTS).write_bytes((saved / WEIGHTS).read_bytes())
    with pytest.raises(DecoderError, match=r"is damaged: it is not text \(UTF-8\): copy the whole folder again"):
        load_decoder(tmp_path)


def test_a_decoder_is_read_by_a_class_that_is_not_installed(tmp_path):
    class Unknown(LinearDecoder):
        kind = "unknown"

    save_decoder(tmp_path / "d", Unknown(SMALL).fit(RUNS), FACTS)
    assert type(load_decoder(tmp_path / "d", Unknown)[0]) is Unknown
    with pytest.raises(DecoderError, match="needs a decoder that is not available: there is no decoder 'unknown'"):
        load_decoder(tmp_path / "d")


def test_fingerprint_depends_on_every_sample():
    changed = replace(RUNS[1], attended=RUNS[1].attended.copy())
    changed.attended[17] = 1
    assert len({fingerprint(run) for run in (*RUNS, changed)}) == 4
    assert fingerprint(RUNS[0]) == fingerprint(replace(planted(0), name="another"))
