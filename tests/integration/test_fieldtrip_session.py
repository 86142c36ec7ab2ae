"""Sessions with EEG from a FieldTrip buffer."""

import time

import numpy as np
import pytest
from fieldtrip_server import Acquisition, FieldTripServer
from rig import check_tiling, consumed, recording, replayed, rows

from earmark.app.config.session import ConfigError, parse_config

SESSION = """
[streams.eeg]
fieldtrip = "127.0.0.1:{port}"
unit = "uV"
[[nodes]]
type = "reblock"
input = "eeg"
[[nodes]]
type = "bandpass"
"""


@pytest.mark.parametrize("dtype", ["float32", "int16", "uint16"])
def test_fieldtrip_buffer_is_recorded_and_replayed_bit_for_bit(tmp_path, dtype):
    rng = np.random.default_rng(0)
    sent = rng.integers(0, 30_000, (2000, 3)).astype(dtype)
    with FieldTripServer() as server, Acquisition(server.port) as acquisition:
        acquisition.put_header(3, 500.0, dtype, ["Cz", "Pz", "Oz"])
        acquisition.put(sent[:100])
        with recording(SESSION.format(port=server.port), tmp_path) as rig:
            time.sleep(0.3)
            for k in range(100, 2000, 25):
                acquisition.put(sent[k : k + 25])
                time.sleep(0.02)
            rig.wait_for(lambda: rig.engine.streams["eeg"].n_samples >= 1900)
    blocks, gaps = check_tiling(consumed(rig.path))
    assert not gaps
    assert blocks[0].start == 0
    np.testing.assert_array_equal(rows(blocks), sent[100:])
    out = replayed(rig.path)["bandpass"]
    assert rows(out).shape == (1900, 3)


def test_overrides_apply_to_a_buffer(tmp_path):
    words = 'unit = "0.5 uV"\nchannels = ["!Oz"]\nbads = ["Pz"]\nch_type = "seeg"\n'
    sent = np.random.default_rng(0).integers(0, 30_000, (500, 3)).astype(np.int16)
    with FieldTripServer() as server, Acquisition(server.port) as acquisition:
        acquisition.put_header(3, 500.0, "int16", ["Cz", "Pz", "Oz"])
        acquisition.put(sent[:100])
        with recording(SESSION.replace('unit = "uV"\n', words).format(port=server.port), tmp_path) as rig:
            time.sleep(0.3)
            for k in range(100, 500, 25):
                acquisition.put(sent[k : k + 25])
                time.sleep(0.02)
            rig.wait_for(lambda: rig.engine.streams["eeg"].n_samples >= 400)
    spec = rig.engine.descriptions["eeg"].spec
    assert (spec.ch_names, spec.ch_types, spec.units) == (("Cz", "Pz"), ("seeg",) * 2, ("0.5 uV",) * 2)
    got = rows(consumed(rig.path))
    np.testing.assert_array_equal(got[:, 0], sent[100:, 0])
    assert np.isnan(got[:, 1]).all()
    replayed(rig.path)


def test_missing_metadata_must_be_configured():
    text = SESSION.format(port=1972)
    for old, new, words in (
        ('unit = "uV"\n', "", "needs 'unit'"),
        ('unit = "uV"\n', 'unit = "uV"\nname = "x"\n', "names both"),
        ("127.0.0.1:1972", "somewhere", "fieldtrip is 'somewhere'"),
    ):
        with pytest.raises(ConfigError, match=words):
            parse_config(text.replace(old, new), "x")
