"""TorchInductor packages survive a round trip through bytes; compiled for the CPU, so that no GPU is needed."""

from __future__ import annotations

import shutil

import pytest
import torch
from small_networks import made

from earmark.kernels.runtime.backend import BackendError
from earmark.kernels.runtime.inductor import package, unpack


@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="no C++ compiler")
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_package_survives_a_round_trip_through_bytes():
    module, example = made("linear", n_channels=4, n_samples=64)
    program = unpack(package(module, example))
    with torch.no_grad():
        found = program(*example)
        torch.testing.assert_close(found, module(*example), rtol=1e-5, atol=1e-6)
        other = (example[0].flip(-1),)
        torch.testing.assert_close(program(*other), module(*other), rtol=1e-5, atol=1e-6)


def test_damaged_package_is_rejected():
    with pytest.raises(BackendError, match="inductor: the compiled network is refused"):
        unpack(b"no package")
