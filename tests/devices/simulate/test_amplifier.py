"""The simulated amplifier: channels of any name and number, units, and faults."""

from __future__ import annotations

import numpy as np
import pytest

from earmark.devices.simulate.amplifier import FAULTS, Amplifier, AmplifierConfig, Fault, wiring
from earmark.devices.simulate.electrodes import scalp
from earmark.pipeline.stream import Block, StreamSpec

SFREQ, HOP = 250.0, 5
NAMES = ("Cz", "Fp1", "pz", "AUX", "E5", "E6")
TYPES = ("eeg", "eeg", "eeg", "misc", "eeg", "eeg")


def config(unit="uV", stated=None):
    units = tuple("" if kind == "misc" else stated if stated is not None else unit for kind in TYPES)
    return AmplifierConfig(StreamSpec("amp", SFREQ, NAMES, TYPES, units), "EEG", unit)


def send(settings, faults=(), seconds=20.0, data=None):
    """Return the samples that arrive, µV, and the share of blocks that did."""
    electrodes, order = wiring([name for name, kind in zip(NAMES, TYPES, strict=True) if kind == "eeg"], "eeg")
    amplifier = Amplifier(settings, scalp(electrodes), order, 0)
    amplifier.faults.update(faults)
    rng, n = np.random.default_rng(1), round(seconds * SFREQ / HOP)
    blocks = []
    for k in range(n):
        x = 10 * rng.normal(size=(HOP, len(electrodes))) if data is None else data
        blocks.append(amplifier.send(Block(k * HOP, x.astype(np.float32))))
    arrived = [block.data for block in blocks if block is not None]
    return np.concatenate(arrived) if arrived else np.empty((0, len(NAMES))), len(arrived) / n


def at_50_hz(x):
    seconds = np.arange(len(x)) / SFREQ
    return 2 * np.abs(np.exp(-2j * np.pi * 50 * seconds) @ x) / len(x)


def test_channels_have_the_electrode_of_their_name_or_another():
    electrodes, order = wiring(["E1", "cz", "Fp1", "E4"], "eeg")
    assert [electrodes[k] for k in order][1:3] == ["Cz", "Fp1"]
    assert len({electrodes[k] for k in order}) == 4
    assert "Fz" in electrodes, "others are spread over the head"


@pytest.mark.parametrize(("ch_type", "there", "n"), [("eeg", 64, 130), ("seeg", 36, 100)])
def test_more_channels_than_electrodes_repeat_them(ch_type, there, n):
    electrodes, order = wiring([f"X{k}" for k in range(n)], ch_type)
    assert len(electrodes) == there
    assert len(order) == n
    assert set(order) == set(range(there))


def test_repeated_electrodes_have_noise_of_their_own():
    names = tuple(f"E{k}" for k in range(70))
    spec = StreamSpec("amp", SFREQ, names, ("eeg",) * 70, ("uV",) * 70)
    electrodes, order = wiring(names, "eeg")
    amplifier = Amplifier(AmplifierConfig(spec), scalp(electrodes), order, 0)
    x = np.tile(np.arange(64.0), (500, 1))
    block = amplifier.send(Block(0, x.astype(np.float32)))
    twins = [order.index(k) for k in order[64:]]
    differences = block.data[:, 64:] - block.data[:, twins]
    assert (differences.std(axis=0) > 2).all()
    assert (np.abs(differences.mean(axis=0)) < 2).all()


@pytest.mark.parametrize(("unit", "stated", "step"), [("uV", "uV", 1.0), ("mV", "", 1e3), ("0.0488 uV", "uV", 0.0488)])
def test_values_are_in_the_unit_of_the_session(unit, stated, step):
    found, _ = send(config(unit, stated), data=np.full((HOP, 5), 40.0))
    np.testing.assert_allclose(found[:, 0] * step, 40.0, rtol=1e-6)


def test_each_fault_has_a_key_of_its_own():
    assert set(FAULTS) == set(Fault)
    assert len({key for key, _, _ in FAULTS.values()}) == len(Fault)
    assert all(key.isupper() for key, _, _ in FAULTS.values()), "lower case belongs to the session"


def test_faults_do_what_they_say():
    usual, share = send(config())
    assert share == 1.0
    assert usual[:, 3].std() < 3, "no electrode"
    assert at_50_hz(usual).max() < 5
    assert config().place(Fault.MAINS) == ""

    flat = NAMES.index(config().place(Fault.FLAT))
    found, _ = send(config(), {Fault.FLAT})
    assert not found[:, flat].any()
    assert (np.delete(found, flat, axis=1).std(axis=0) > 0.5).all()

    loose = NAMES.index(config().place(Fault.LOOSE))
    found, _ = send(config(), {Fault.LOOSE})
    assert found[:, loose].std() > 20 * usual[:, loose].std()
    assert np.delete(found, loose, axis=1).std(axis=0).max() < 2 * usual.std(axis=0).max()
    assert loose != flat

    found, _ = send(config(), {Fault.MAINS})
    assert (np.delete(at_50_hz(found), 3) > 50).all()

    found, _ = send(config(), {Fault.BLINKS})
    assert np.abs(found).max() > 3 * np.abs(usual).max()

    found, _ = send(config(), {Fault.MUSCLE})
    assert found[:, :3].std(axis=0).max() > 2 * usual[:, :3].std(axis=0).max()

    assert 0.75 < send(config(), {Fault.PACKETS})[1] < 0.95
    assert send(config(), {Fault.CABLE})[1] == 0.0
    np.testing.assert_array_equal(send(config(), {Fault.ABSENT})[0], usual)
