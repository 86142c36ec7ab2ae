from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

import pytest

from earmark.devices.files.corpus import DaskCluster, InProcess, Processes, evaluate_corpus, executor
from earmark.pipeline.attention.evidence import EvidenceConfig
from earmark.pipeline.decoders.linear import LinearDecoder
from earmark.pipeline.evaluation.evaluate import evaluate
from earmark.pipeline.run import Run

sys.path.append(str(Path(__file__).parents[2] / "pipeline"))  # workers find made-up listeners where this test does

from listeners import Ridge, listen

WINDOWS = [1, 2, 5]
HOW = dict(seed=11, n_shifts=3, evidence=EvidenceConfig())


class Failing(Ridge):
    def fit(self, runs: Sequence[Run]) -> Self:
        raise ArithmeticError(f"cannot learn from {runs[0].name}")


class Dying(Ridge):
    def fit(self, runs: Sequence[Run]) -> Self:
        os._exit(3)


@pytest.fixture(scope="module")
def runs() -> list[Run]:
    return [
        listen(f"run-{i % 4}", f"{i // 4:02d}", seconds=24, switch_s=12 if i % 4 == 0 else None) for i in range(100)
    ]


@pytest.fixture(scope="module")
def here(runs: list[Run]) -> str:
    return json.dumps(evaluate_corpus(runs, Ridge, "leave-one-run-out", WINDOWS, **HOW).to_json())


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    distributed = pytest.importorskip("distributed", reason="needs dask.distributed: pip install 'earmark[corpus]'")
    quiet = {"silence_logs": logging.CRITICAL, "dashboard_address": "127.0.0.1:0", "host": "127.0.0.1"}
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **quiet) as local:
        yield local.scheduler_address


def test_in_process_equals_the_plain_evaluation(runs, here):
    assert json.dumps(evaluate(runs, Ridge, "leave-one-run-out", WINDOWS, **HOW).to_json()) == here


def test_processes_give_bit_identical_results(runs, here):
    told = []
    found = evaluate_corpus(
        runs,
        Ridge,
        "leave-one-run-out",
        WINDOWS,
        **HOW,
        by=Processes(2),
        progress=lambda done, of: told.append((done, of)),
    )
    assert json.dumps(found.to_json()) == here
    assert told == [(i, 100) for i in range(1, 101)]


def test_cluster_of_two_gives_bit_identical_results(runs, here, cluster):
    told = []
    found = evaluate_corpus(
        runs,
        Ridge,
        "leave-one-run-out",
        WINDOWS,
        **HOW,
        by=DaskCluster(cluster),
        progress=lambda done, of: told.append((done, of)),
    )
    assert json.dumps(found.to_json()) == here
    assert told == [(i, 100) for i in range(1, 101)]


def test_error_in_a_worker_process_is_raised(runs):
    with pytest.raises(ArithmeticError, match="cannot learn from run-"):
        evaluate_corpus(runs[:8], Failing, "leave-one-subject-out", WINDOWS, by=Processes(2))


def test_death_of_a_worker_process_is_an_error_not_a_hang(runs):
    with pytest.raises(RuntimeError, match="terminated abruptly"):
        evaluate_corpus(runs[:8], Dying, "leave-one-subject-out", WINDOWS, by=Processes(2))


def test_error_on_a_cluster_is_raised(runs, cluster):
    with pytest.raises(ArithmeticError, match="cannot learn from run-"):
        evaluate_corpus(runs[:8], Failing, "leave-one-subject-out", WINDOWS, by=DaskCluster(cluster))


def test_missing_cluster_is_an_error():
    pytest.importorskip("distributed", reason="needs dask.distributed: pip install 'earmark[corpus]'")
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9"):
        DaskCluster("tcp://127.0.0.1:9", timeout=0.5).run(None, [], [], lambda done, of: None)


def test_missing_dask_is_an_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install '.\[corpus\]'"):
        DaskCluster("tcp://127.0.0.1:9").run(None, [], [], lambda done, of: None)


def test_executor_is_selected_by_workers_and_scheduler():
    assert isinstance(executor(), InProcess)
    assert executor(3) == Processes(3)
    assert executor(scheduler="tcp://host:8786") == DaskCluster("tcp://host:8786")
    with pytest.raises(ValueError, match="either workers or a scheduler"):
        executor(2, "tcp://host:8786")
    with pytest.raises(ValueError, match="at least one"):
        executor(0)


def test_one_real_listener_at_a_cocktail_party():
    """The linear decoder on tilted signals; a plain ridge of 1 to 9 Hz has d' 0.18 at 1 s."""
    sys.path.append(str(Path(__file__).parents[2] / "pipeline" / "decoders"))
    from real_data import cocktail

    found = evaluate_corpus(cocktail(), LinearDecoder, "leave-one-paired-envelope-out", [1, 5, 10])
    assert found.dprime[1.0] > 0.2
    assert found.dprime[10.0] > 0.7
    assert found.accuracy[1.0] > found.chance_limit[1.0]
    assert abs(found.null_accuracy[1.0] - 0.5) < 0.05
    assert found.n_windows == {1.0: 236, 5.0: 44, 10.0: 20}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of a terminal")
def test_ctrl_c_ends_workers_at_once_without_output(tmp_path):
    """It reaches every process of a terminal; a fold may take minutes."""
    (tmp_path / "slow.py").write_text(
        "import sys, time\n"
        "def work(fold, train, test):\n    print('begun', flush=True)\n    time.sleep(600)\n"
        "if __name__ == '__main__':\n"
        "    import slow\n"
        "    from types import SimpleNamespace\n"
        "    from earmark.devices.files.corpus import Processes\n"
        "    fold = SimpleNamespace(train=[], test=[])\n"
        "    try:\n        Processes(2).run(slow.work, [], [fold, fold], print)\n"
        "    except KeyboardInterrupt:\n        sys.exit(130)\n"
    )
    env = {**os.environ, "PYTHONPATH": f"{os.environ['PYTHONPATH']}{os.pathsep}{tmp_path}"}
    with subprocess.Popen(
        [sys.executable, tmp_path / "slow.py"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout.readline() == "begun\n"
        os.killpg(process.pid, signal.SIGINT)
        said = process.communicate(timeout=600)[1]
    assert process.returncode == 130
    assert said == ""
