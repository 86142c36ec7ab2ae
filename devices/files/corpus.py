"""Evaluate many runs on many cores or machines, with the same result as on one core.

The unit of work is a fold. It is a pure function of the runs, so it can run anywhere, and again if a worker is lost.
Linear algebra always uses one thread: more would change the order of summation, and would compete for the same cores.
Sums over folds are computed here, in the order of the plan.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from threadpoolctl import threadpool_limits

from earmark.devices.processes.spawn import born_deaf, leave_signals_to_parent
from earmark.kernels.errors import EarmarkError
from earmark.kernels.extras import require
from earmark.pipeline.attention.evidence import EvidenceConfig
from earmark.pipeline.decoders.decoder import Learner
from earmark.pipeline.evaluation.evaluate import WINDOWS, prepare
from earmark.pipeline.evaluation.results import Evaluation, summarise
from earmark.pipeline.evaluation.splits import Fold
from earmark.pipeline.run import Run

#: Called with the number of finished folds and their total.
Progress = Callable[[int, int], None]
_Run = TypeVar("_Run")
_Result = TypeVar("_Result")
#: Computes a fold from its training and test runs; importable where the work is done.
Work = Callable[[Fold, Sequence[_Run], Sequence[_Run]], _Result]


class ClusterError(EarmarkError, ValueError):
    """Raised when the requested workers are not available."""


class Executor(Protocol):
    """Something that computes all folds."""

    def run(
        self, work: Work[_Run, _Result], runs: Sequence[_Run], folds: Sequence[Fold], progress: Progress
    ) -> list[_Result]:
        """Return one result per fold, in order; errors of a fold are raised."""


class InProcess:
    """Compute one fold after the other in this process."""

    def run(
        self, work: Work[_Run, _Result], runs: Sequence[_Run], folds: Sequence[Fold], progress: Progress
    ) -> list[_Result]:
        """Compute all folds."""
        results = []
        with threadpool_limits(limits=1):
            for fold in folds:
                results.append(_do(work, fold, runs))
                progress(len(results), len(folds))
        return results


def _do(work: Work[_Run, _Result], fold: Fold, runs: Sequence[_Run]) -> _Result:
    return work(fold, [runs[i] for i in fold.train], [runs[i] for i in fold.test])


#: Runs in a worker process, which are sent once and not with every fold.
_runs: Sequence[Any] = ()


def _start_worker(runs: Sequence[Any]) -> None:
    global _runs  # noqa: PLW0603 - the only place a pool's worker can keep anything
    leave_signals_to_parent()
    _runs = runs


def _do_in_worker(work: Work[Any, _Result], fold: Fold) -> _Result:
    # For the whole life of the worker. Here and not at its start: the decoder's libraries are imported by now.
    threadpool_limits(limits=1)
    return _do(work, fold, _runs)


@dataclass(frozen=True, slots=True)
class Processes:
    """Compute folds in processes on this machine.

    Attributes
    ----------
    workers : int
        Number of processes; each holds all runs.
    """

    workers: int

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ClusterError(f"{self.workers} workers: at least one is needed")

    def run(
        self, work: Work[_Run, _Result], runs: Sequence[_Run], folds: Sequence[Fold], progress: Progress
    ) -> list[_Result]:
        """Compute all folds."""
        pool = ProcessPoolExecutor(
            min(self.workers, len(folds)),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start_worker,
            initargs=(list(runs),),
        )
        futures: list[Future[_Result]] = []
        before = set(multiprocessing.active_children())
        try:
            with born_deaf():
                futures += [pool.submit(_do_in_worker, work, fold) for fold in folds]
            for done, future in enumerate(as_completed(futures), start=1):
                future.result()  # an error ends everything at once, not after the last fold
                progress(done, len(futures))
            return [future.result() for future in futures]
        except BaseException:
            for worker in set(multiprocessing.active_children()) - before:  # a fold may take minutes
                worker.kill()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _do_on_cluster(work: Work[_Run, _Result], fold: Fold, train: Sequence[_Run], test: Sequence[_Run]) -> _Result:
    threadpool_limits(limits=1)
    return work(fold, train, test)


@dataclass(frozen=True, slots=True)
class DaskCluster:
    """Compute folds on a cluster of ``dask.distributed``; its workers need this package and the decoder's module.

    Anyone who can reach a scheduler can run code on its workers: keep it within a trusted network.

    Attributes
    ----------
    scheduler : str
        Address, such as ``tcp://10.0.0.1:8786``.
    timeout : float
        Maximum seconds to wait for the scheduler.
    """

    scheduler: str
    timeout: float = 10.0

    def run(
        self, work: Work[_Run, _Result], runs: Sequence[_Run], folds: Sequence[Fold], progress: Progress
    ) -> list[_Result]:
        """Compute all folds.

        Raises
        ------
        MissingExtra
            If ``dask.distributed`` is not installed.
        OSError
            If nothing answers at the address.
        """
        require("corpus", "a cluster needs dask.distributed")
        from distributed import Client
        from distributed import as_completed as as_done

        with Client(self.scheduler, timeout=self.timeout, set_as_default=False) as client:
            # Each run is sent to a worker once, and from there to the folds that need it.
            held = client.scatter(list(runs), hash=False)
            futures = [
                client.submit(
                    _do_on_cluster, work, fold, [held[i] for i in fold.train], [held[i] for i in fold.test], pure=False
                )
                for fold in folds
            ]
            try:
                for done, future in enumerate(as_done(futures, loop=client.loop), start=1):
                    future.result()
                    progress(done, len(futures))
                results: list[_Result] = client.gather(futures)
            except BaseException:
                client.cancel(futures)
                raise
        return results


def executor(workers: int = 1, scheduler: str | None = None) -> Executor:
    """Select the executor: this process, a process pool or Dask.

    Parameters
    ----------
    workers : int
        Processes on this machine; with 1, folds run in this process.
    scheduler : str, optional
        Address of a cluster.

    Raises
    ------
    ClusterError
        If both are given, or ``workers`` is below 1.
    """
    if scheduler is not None:
        if workers != 1:
            raise ClusterError("a cluster has workers of its own: give either workers or a scheduler")
        return DaskCluster(scheduler)
    return InProcess() if workers == 1 else Processes(workers)


def evaluate_corpus(
    runs: Sequence[Run],
    make_decoder: Callable[[], Learner],
    protocol: str,
    windows: Sequence[float] = WINDOWS,
    *,
    seed: int = 0,
    n_shifts: int = 20,
    min_shift: float = 5.0,
    evidence: EvidenceConfig | None = None,
    by: Executor | None = None,
    progress: Progress = lambda done, of: None,
) -> Evaluation:
    """Evaluate like :func:`earmark.pipeline.evaluation.evaluate.evaluate`, with a choice of executor.

    On machines of one kind, with the same libraries, the result is bit-identical for every executor.

    Parameters
    ----------
    runs, protocol, windows, seed, n_shifts, min_shift, evidence
        See there.
    make_decoder : callable
        Importable where the work is done, such as a class or a ``functools.partial`` of one.
    by : Executor, optional
        Executor of the folds; by default this process.
    progress : callable
        Called in this process when folds are done.

    Returns
    -------
    Evaluation
    """
    work, folds = prepare(
        runs,
        make_decoder,
        protocol,
        windows,
        seed=seed,
        n_shifts=n_shifts,
        min_shift=min_shift,
        evidence=evidence,
    )
    return summarise(work, runs[0], (by or InProcess()).run(work, runs, folds, progress))
