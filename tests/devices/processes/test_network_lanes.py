"""Networks on threads that hang, are slow, or answer in time."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from small_networks import made

from earmark.devices.processes.network_lanes import NetworkLanes
from earmark.kernels.runtime.backend import Info, Network, Policy
from earmark.kernels.runtime.eager_cpu import EagerCpu

BUDGET = 20.0  # never joined


class Adding(Network):
    """Add one, or wait for ``go`` first if asked to."""

    def __init__(self, plus=1.0):
        self.plus, self.go, self.asked = plus, threading.Event(), 0
        self.go.set()

    def info(self):
        return Info("adding", "none", "float32", {}, False, 0, ((3,),), ((3,),))

    def run_into(self, x, out):
        self.asked += 1
        self.go.wait()
        out[0][...] = x[0] + self.plus


@pytest.fixture
def lanes():
    made_here = []

    def make(networks, budget=BUDGET):
        made_here.append((NetworkLanes(networks, budget, time.monotonic), networks))
        return made_here[-1][0]

    yield make
    for one, networks in made_here:
        one.close()
        for network in networks.values():
            getattr(network, "go", threading.Event()).set()


def window(value):
    return [np.full(3, value, np.float32)]


def test_each_window_gets_its_own_answer(lanes):
    asked = lanes({"a": Adding()})
    for value in range(20):
        answer = asked.ask(window(value))
        assert answer.fresh
        assert answer.outputs[0].tolist() == [value + 1] * 3
    assert (answer.counts.in_time, answer.counts.missed) == (20, 0)


def test_hanging_network_is_replaced_without_waiting(lanes):
    hung, other = Adding(), Adding(plus=2.0)
    asked = lanes({"hung": hung, "other": other}, budget=2.0)
    asked.ask(window(0))
    hung.go.clear()
    before = hung.asked
    answers = [asked.ask(window(value)) for value in (1, 2, 3)]
    assert not any(answer.fresh for answer in answers)
    assert all(answer.outputs[0].tolist() == [1.0] * 3 for answer in answers), "the last answer is kept"
    ages = [answer.age for answer in answers]
    assert ages == sorted(ages)
    assert ages[0] > 0
    assert hung.asked == before + 1, "it has not answered yet, and gets no further window"
    answer = asked.ask(window(4))
    assert (answer.backend, answer.fresh) == ("other", True)
    assert answer.outputs[0].tolist() == [6.0] * 3
    hung.go.set()
    deadline = time.monotonic() + 180
    while asked.ask(window(5)).counts.late == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    answer = asked.ask(window(6))
    assert answer.outputs[0].tolist() == [8.0] * 3, "the late answer of the hanging network is dropped"
    assert (answer.counts.late, answer.counts.missed, answer.counts.demotions) == (1, 3, 1)


def test_failing_network_is_logged_and_replaced(lanes, caplog):
    class Failing(Adding):
        def run_into(self, x, out):
            super().run_into(x, out)
            if x[0][0] == 1.0:
                raise RuntimeError("the GPU has fallen off the bus")

    asked = lanes({"failing": Failing(), "other": Adding()}, budget=2.0)
    answers = [asked.ask(window(value)) for value in range(5)]
    assert [answer.fresh for answer in answers] == [True, False, False, False, True]
    assert answers[-1].backend == "other"
    assert "network by failing failed" in caplog.text
    assert "fallen off the bus" in caplog.text


def test_window_may_be_overwritten_after_submission(lanes):
    slow = Adding()
    asked = lanes({"slow": slow}, budget=0.05)
    slow.go.clear()
    x = window(1)
    asked.ask(x)
    x[0][...] = 100.0
    slow.go.set()
    deadline = time.monotonic() + 180
    while not (answer := asked.ask(window(2))).fresh and time.monotonic() < deadline:
        time.sleep(0.01)
    assert answer.outputs[0].tolist() == [3.0] * 3
    assert answer.counts.late == 1


def test_real_network_answers(lanes):
    module, example = made("attention", n_channels=8, n_samples=96)
    asked = lanes({"eager_cpu": EagerCpu().prepare(module, example, Policy())}, budget=20.0)
    answer = asked.ask([x.numpy() for x in example])
    assert answer.fresh
    np.testing.assert_allclose(answer.outputs[0], module(*example).detach().numpy(), rtol=1e-5, atol=1e-7)


def test_networks_of_other_shapes_are_refused():
    class Other(Adding):
        def info(self):
            return Info("other", "none", "float32", {}, False, 0, ((4,),), ((4,),))

    with pytest.raises(ValueError, match="differ in their shapes"):
        NetworkLanes({"a": Adding(), "b": Other()}, BUDGET, time.monotonic)
    with pytest.raises(ValueError, match="backends is empty"):
        NetworkLanes({}, BUDGET, time.monotonic)
