"""The independent count of the benchmark of a study agrees with the report."""

import math

import pytest

from benchmarks.sessions import write_session
from benchmarks.study_recount import limit, recount
from earmark.app.commands.train import train
from earmark.app.report.kept import run_figures
from earmark.devices.files.decoder_folder import load_decoder
from earmark.pipeline.evaluation.metrics import chance_limit


@pytest.mark.parametrize("end", [True, False])
def test_recount_of_a_run_equals_its_figures(tmp_path, end):
    calibration = write_session(tmp_path / "calibration-1.xdf", (("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0)))
    train([calibration], tmp_path / "decoder")
    run = write_session(
        tmp_path / "run-1" / "loop.xdf", (("Joe", 14.0), ("Ada", 12.0)), end=end, decoder=tmp_path / "decoder"
    )
    if not end:
        run.write_bytes(run.read_bytes()[:-9000])
    decoder, _ = load_decoder(run.with_suffix(".decoder"))
    own = recount(run, decoder.spec.window, decoder.preset.hop)
    _, figures = run_figures(run.parent)
    for name in ("windows", "right", "chance_limit", "tmr_db"):
        assert own[name] == figures[name]
    assert own["windows"] > 5
    assert own["switches"] == len(figures["switches"]) == 1


@pytest.mark.parametrize("n_talkers", [2, 4])
def test_limit_is_the_chance_limit(n_talkers):
    for n in (1, 3, 5, 20, 117, 400):
        expected = chance_limit(n, n_talkers)
        assert limit(n, n_talkers) == (None if math.isnan(expected) else expected)
