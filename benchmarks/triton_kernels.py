"""Filtering, lagged covariance and windowed correlation on a GPU, in Triton.

Tensors are not moved between devices. Nothing in Earmark calls these kernels yet; ``benchmarks/gpu.py`` measures
whether they are faster than the CPU, copies included. With ``TRITON_INTERPRET=1`` set before this module is imported,
they run on the CPU, slowly; the tests use this.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl

#: Channels or components handled by one program, and samples in one step of a sum.
WIDTH, STEP = 32, 128


@triton.jit
def _sos(x, state, sos, n_samples, n_channels, N_SECTIONS: tl.constexpr, WIDTH: tl.constexpr):  # type: ignore[no-untyped-def]
    c = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)
    here = c < n_channels
    for s in tl.static_range(N_SECTIONS):
        b0, b1, b2 = tl.load(sos + 6 * s), tl.load(sos + 6 * s + 1), tl.load(sos + 6 * s + 2)
        a1, a2 = tl.load(sos + 6 * s + 4), tl.load(sos + 6 * s + 5)
        z0 = tl.load(state + 2 * s * n_channels + c, mask=here, other=0.0)
        z1 = tl.load(state + (2 * s + 1) * n_channels + c, mask=here, other=0.0)
        for t in range(n_samples):
            v = tl.load(x + t * n_channels + c, mask=here, other=0.0)
            w = b0 * v + z0
            z0 = b1 * v - a1 * w + z1
            z1 = b2 * v - a2 * w
            tl.store(x + t * n_channels + c, w, mask=here)
        tl.store(state + 2 * s * n_channels + c, z0, mask=here)
        tl.store(state + (2 * s + 1) * n_channels + c, z1, mask=here)


def sos_inplace(sos: torch.Tensor, x: torch.Tensor, state: torch.Tensor) -> None:
    """Run a cascade of second-order sections over ``x`` in place, as :func:`earmark.kernels.cascade.sos_inplace`.

    Parameters
    ----------
    sos : Tensor, shape (n_sections, 6), float64
        Sections with a0 = 1.
    x : Tensor, shape (n_samples, n_channels), float64
        Input, replaced by the output.
    state : Tensor, shape (2 * n_sections, n_channels), float64
        Filter memory, updated.

    Raises
    ------
    ValueError
        If shapes, types or memory layout differ from those above.
    """
    _need(sos, "sos", torch.float64, (len(sos), 6))
    _need(x, "x", torch.float64, tuple(x.shape[:2]))
    _need(state, "state", torch.float64, (2 * len(sos), x.shape[1]))
    grid = (triton.cdiv(x.shape[1], WIDTH),)
    _sos[grid](x, state, sos, x.shape[0], x.shape[1], N_SECTIONS=len(sos), WIDTH=WIDTH)


@triton.jit
def _covariance(x, y, out, n_samples, n_channels, n_features, WIDTH: tl.constexpr, STEP: tl.constexpr):  # type: ignore[no-untyped-def]
    c = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)
    lag, f = tl.program_id(1), tl.program_id(2)
    total = tl.zeros((WIDTH,), tl.float64)
    for begin in range(0, n_samples - lag, STEP):
        t = begin + tl.arange(0, STEP)
        there = t < n_samples - lag
        a = tl.load(
            x + (t + lag)[:, None] * n_channels + c[None, :],
            mask=there[:, None] & (c < n_channels)[None, :],
            other=0.0,
        )
        b = tl.load(y + t * n_features + f, mask=there, other=0.0)
        total += tl.sum(a.to(tl.float64) * b.to(tl.float64)[:, None], axis=0)
    tl.store(out + (lag * n_channels + c) * n_features + f, total, mask=c < n_channels)


def lagged_covariance(x: torch.Tensor, y: torch.Tensor, n_lags: int) -> torch.Tensor:
    """Sum the products of every channel with every feature, with the channels 0 to ``n_lags - 1`` samples later.

    Parameters
    ----------
    x : Tensor, shape (n_samples, n_channels), float32
    y : Tensor, shape (n_samples, n_features), float32
    n_lags : int
        Number of lags, at most n_samples.

    Returns
    -------
    Tensor, shape (n_lags, n_channels, n_features), float64
        ``sum over t of x[t + lag, c] * y[t, f]``, over the samples for which both exist.

    Raises
    ------
    ValueError
        If shapes, types or memory layout differ from those above.
    """
    _need(x, "x", torch.float32, tuple(x.shape[:2]))
    _need(y, "y", torch.float32, (x.shape[0], *y.shape[1:2]))
    if not 1 <= n_lags <= len(x):
        raise ValueError(f"n_lags is {n_lags}, but must be 1 to the number of samples, {len(x)}")
    out = torch.empty((n_lags, x.shape[1], y.shape[1]), dtype=torch.float64, device=x.device)
    grid = (triton.cdiv(x.shape[1], WIDTH), n_lags, y.shape[1])
    _covariance[grid](x, y, out, x.shape[0], x.shape[1], y.shape[1], WIDTH=WIDTH, STEP=STEP)
    return out


@triton.jit
def _correlation(x, y, out, n_samples, n_components, window, hop, WIDTH: tl.constexpr, STEP: tl.constexpr):  # type: ignore[no-untyped-def]
    c = tl.program_id(0) * WIDTH + tl.arange(0, WIDTH)
    k, talker = tl.program_id(1), tl.program_id(2)
    here = (c < n_components)[None, :]
    x += k * hop * n_components
    y += (talker * n_samples + k * hop) * n_components
    mx, my = tl.zeros((WIDTH,), tl.float64), tl.zeros((WIDTH,), tl.float64)
    for begin in range(0, window, STEP):
        t = (begin + tl.arange(0, STEP))[:, None]
        at, mask = t * n_components + c[None, :], (t < window) & here
        mx += tl.sum(tl.load(x + at, mask=mask, other=0.0).to(tl.float64), axis=0)
        my += tl.sum(tl.load(y + at, mask=mask, other=0.0).to(tl.float64), axis=0)
    mx, my = mx / window, my / window
    xx, yy, xy = tl.zeros((WIDTH,), tl.float64), tl.zeros((WIDTH,), tl.float64), tl.zeros((WIDTH,), tl.float64)
    for begin in range(0, window, STEP):
        t = (begin + tl.arange(0, STEP))[:, None]
        at, mask = t * n_components + c[None, :], (t < window) & here
        a = tl.where(mask, tl.load(x + at, mask=mask, other=0.0).to(tl.float64) - mx[None, :], 0.0)
        b = tl.where(mask, tl.load(y + at, mask=mask, other=0.0).to(tl.float64) - my[None, :], 0.0)
        xx += tl.sum(a * a, axis=0)
        yy += tl.sum(b * b, axis=0)
        xy += tl.sum(a * b, axis=0)
    power = tl.sqrt(xx) * tl.sqrt(yy)
    r = tl.where(power > 0, xy / tl.where(power > 0, power, 1.0), 0.0)
    tl.store(out + (k * tl.num_programs(2) + talker) * n_components + c, r, mask=c < n_components)


def windowed_correlation(x: torch.Tensor, y: torch.Tensor, window: int, hop: int) -> torch.Tensor:
    """Correlate a signal with each talker's signal, component by component, in sliding windows.

    Parameters
    ----------
    x : Tensor, shape (n_samples, n_components), float32
    y : Tensor, shape (n_talkers, n_samples, n_components), float32
    window, hop : int
        Samples in a window, and from the start of one window to the start of the next.

    Returns
    -------
    Tensor, shape (n_windows, n_talkers, n_components), float64
        Pearson's r; 0 where either signal is constant.

    Raises
    ------
    ValueError
        If shapes, types or memory layout differ from those above, or no window fits.
    """
    _need(x, "x", torch.float32, tuple(x.shape[:2]))
    _need(y, "y", torch.float32, (len(y), *x.shape))
    if not (2 <= window <= len(x) and hop >= 1):
        raise ValueError(
            f"window is {window} and hop {hop}, but 2 <= window <= {len(x)} samples and hop >= 1 must hold"
        )
    n_windows = (len(x) - window) // hop + 1
    out = torch.empty((n_windows, len(y), x.shape[1]), dtype=torch.float64, device=x.device)
    grid = (triton.cdiv(x.shape[1], WIDTH), n_windows, len(y))
    _correlation[grid](x, y, out, x.shape[0], x.shape[1], window, hop, WIDTH=WIDTH, STEP=STEP)
    return out


def _need(tensor: torch.Tensor, name: str, dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    if tensor.dtype != dtype or tuple(tensor.shape) != shape or not tensor.is_contiguous():
        raise ValueError(
            f"{name} is {tensor.dtype} {tuple(tensor.shape)}, contiguous: {tensor.is_contiguous()}; it must be "
            f"{dtype} {shape} and contiguous"
        )
