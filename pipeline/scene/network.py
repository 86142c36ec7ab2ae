"""A separator with a small recurrent network, which corrects the masks of beams; it knows no geometry."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from earmark.pipeline.node import State, below, within
from earmark.pipeline.scene.array import Array
from earmark.pipeline.scene.errors import SceneError
from earmark.pipeline.scene.separator import MOST, BeamMasks
from earmark.pipeline.scene.transform import Framing

#: Frequencies that the network works on: 0 to 8 kHz, as far apart as windows of 8 ms have them at any rate.
N_BINS, SPACING_HZ, HOP_S = 65, 125.0, 0.004
#: How far spacing and hop may differ from these, as a share: 44.1 kHz has 125.28 Hz and 3.99 ms.
TOLERANCE = 0.01
#: Numbers for each frequency: reference, own beam, strongest other beam, and what the masks of the beams say.
N_KINDS = 4
#: Arrays of the network, and their shapes.
SHAPES = {
    "inward.weight": (128, N_KINDS * N_BINS),
    "inward.bias": (128,),
    **{
        f"recurrent.{name}_l{layer}": shape
        for layer in (0, 1)
        for name, shape in (
            ("weight_ih", (384, 128)),
            ("weight_hh", (384, 128)),
            ("bias_ih", (384,)),
            ("bias_hh", (384,)),
        )
    },
    "outward.weight": (N_BINS, 128),
    "outward.bias": (N_BINS,),
}
#: Greatest change of a mask by the network, as logarithm of a ratio.
LIMIT = 8.0
#: Frequencies above those of the network take the mean of its changes from this bin on: 7 to 8 kHz. Means over wider
#: ranges delivered less, and the masks of the beams alone 0.7 to 2.3 dB less at 8 to 11 kHz.
TOP = 56


class BeamFeatures:
    """What the network hears of a mixture: logarithms of powers relative to the running level, for each place.

    Parameters
    ----------
    array : Array
    framing : Framing
        With windows of 8 ms, at 16 kHz or above.
    n_places : int
        Number of talkers at most, 2 to 4.

    Raises
    ------
    SceneError
        If the frequencies are not those of the network, or the number of places is out of range.
    """

    #: Time constants in s with which the level follows sound that gets louder and softer.
    RISE_S, FALL_S = 0.1, 3.0
    #: Greatest change of the level of a hop that counts, nepers of power: neither a click nor silence does much.
    STEP = 7.0
    #: Power that is added, relative to the level; power below which there is no sound, which leaves the level as it is.
    FLOOR, SILENCE = 1e-5, 1e-20
    #: Factor of a logarithm of power, and of one of a ratio of masks; greatest number.
    SCALE, RATIO_SCALE, MOST_FEATURE = 0.2, 0.4, 3.0

    def __init__(self, array: Array, framing: Framing, n_places: int = 2) -> None:
        spacing, hop_s = framing.sfreq / framing.window, framing.hop / framing.sfreq
        fits = abs(spacing / SPACING_HZ - 1) <= TOLERANCE and abs(hop_s / HOP_S - 1) <= TOLERANCE
        if not fits or framing.n_bins < N_BINS:
            raise SceneError(
                f"network: {framing.n_bins} frequencies {spacing:.2f} Hz apart every {1000 * hop_s:.2f} ms, but must "
                f"be at least {N_BINS}, {SPACING_HZ:g} Hz apart every {1000 * HOP_S:g} ms: use windows of 8 ms at "
                "16 kHz or more, or masks from beams"
            )
        self.beams = BeamMasks(array, framing, n_places)
        self._reference = array.reference
        self._rise, self._fall = (1 - math.exp(-HOP_S / one) for one in (self.RISE_S, self.FALL_S))
        self._level = math.nan
        self._power = np.zeros((1 + n_places, N_BINS), np.float32)
        self._squares = np.zeros(N_BINS, np.float32)
        self._ratio = np.zeros((n_places, N_BINS), np.float32)
        #: What the network hears, shape (n_places, 4, n_bins): reference, own beam, strongest other beam, ratio of
        #: masks; zero for an unused place.
        self.values = np.zeros((n_places, N_KINDS, N_BINS), np.float32)
        #: Which places are used, shape (n_places,).
        self.used = np.zeros(n_places, bool)

    def push(self, spectra: NDArray[np.complex64], directions: NDArray[np.float64]) -> NDArray[np.float32]:
        """Hear the newest spectra, see :class:`~earmark.pipeline.scene.separator.Separator`.

        Returns
        -------
        masks : array, shape (n_places, n_bins)
            Those of the beams, until the next call.
        """
        masks = self.beams.process(spectra, directions)
        np.isfinite(directions, out=self.used)
        if np.count_nonzero(self.used) < 2:
            self.values[:] = 0
            return masks
        reference, power, values = spectra[self._reference, :N_BINS], self._power, self.values
        with np.errstate(all="ignore"):
            np.multiply(reference.real, reference.real, out=power[0])
            np.multiply(reference.imag, reference.imag, out=self._squares)
            power[0] += self._squares
            power[0][~np.isfinite(power[0])] = 0
            np.minimum(power[0], MOST, out=power[0])
            np.multiply(self.beams.power[:, :N_BINS], 1 / self.beams.share, out=power[1:])
            self._follow(float(power[0].mean()))
            power *= 0.0 if math.isnan(self._level) else math.exp(-self._level)
            power += self.FLOOR
            np.log(power, out=power)
            power *= self.SCALE
            np.maximum(masks[:, :N_BINS], 1e-6, out=self._ratio)
            np.log(self._ratio, out=self._ratio)
            self._ratio *= self.RATIO_SCALE
        values[:, 0] = power[0]
        values[:, 1] = power[1:]
        for place in range(len(values)):
            self._others(power[1:], place, values[place, 2])
            self._others(self._ratio, place, values[place, 3])
        np.subtract(self._ratio, values[:, 3], out=values[:, 3])
        np.clip(values, -self.MOST_FEATURE, self.MOST_FEATURE, out=values)
        values[~self.used] = 0
        return masks

    def reset(self) -> None:
        """Forget all spectra."""
        self.beams.reset()
        self._level = math.nan

    def state(self) -> State:
        """Return everything that later features depend on."""
        return within("beams", self.beams.state()) | {"level": np.array([self._level])}

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self.beams.restore(below("beams", state))
        self._level = float(state["level"][0])

    def _follow(self, power: float) -> None:
        if power < self.SILENCE:
            return
        loud = math.log(power)
        if math.isnan(self._level):
            self._level = loud
        step = min(max(loud - self._level, -self.STEP), self.STEP)
        self._level += step * (self._rise if step > 0 else self._fall)

    @staticmethod
    def _others(rows: NDArray[np.float32], place: int, out: NDArray[np.float32]) -> None:
        """Set ``out`` to the greatest of the rows other than that of a place."""
        out[:] = -np.inf
        for other, row in enumerate(rows):
            if other != place:
                np.maximum(out, row, out=out)


class Gates:
    """Layers of the network, one hop at a time: linear, rectifier, two gated recurrent units [1]_, linear.

    Parameters
    ----------
    weights : dict of array
        As :data:`SHAPES` has them; gates in the order of PyTorch (reset, update, new).
    n_places : int
        Number of sequences, which share the weights.

    Raises
    ------
    SceneError
        If an array is missing, has another shape, or is not finite.

    References
    ----------
    .. [1] Cho et al. 2014, Proc. EMNLP, 1724-1734, doi:10.3115/v1/D14-1179.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.floating]], n_places: int) -> None:
        for name, shape in SHAPES.items():
            if name not in weights or weights[name].shape != shape:
                found = f"has shape {weights[name].shape}" if name in weights else "is missing"
                raise SceneError(f"network: {name} {found}, but must have {shape}: the weights are of another network")
            if not np.isfinite(weights[name]).all():
                raise SceneError(f"network: {name} is not finite: the weights are damaged")
        ready = {name: np.ascontiguousarray(weights[name].T, np.float32) for name in SHAPES}
        self._inward, self._inward_bias = ready["inward.weight"], ready["inward.bias"]
        self._outward, self._outward_bias = ready["outward.weight"], ready["outward.bias"]
        self._layers = [
            tuple(ready[f"recurrent.{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            for layer in (0, 1)
        ]
        width = len(self._outward)
        #: What it remembers, shape (n_layers, n_places, n_units); within -1 and 1.
        self.hidden = np.zeros((len(self._layers), n_places, width), np.float32)
        self._entry = np.zeros((n_places, width), np.float32)
        self._heard = np.zeros((n_places, 3 * width), np.float32)
        self._known = np.zeros_like(self._heard)
        self._new = np.zeros((n_places, width), np.float32)
        self._out = np.zeros((n_places, N_BINS), np.float32)
        self.memory = sum(one.nbytes for one in (*ready.values(), self.hidden, self._heard, self._known))

    def step(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the output of the next hop, shape (n_places, n_bins), for features (n_places, n_features)."""
        entry, width = self._entry, self._entry.shape[1]
        np.matmul(features, self._inward, out=entry)
        entry += self._inward_bias
        np.maximum(entry, 0, out=entry)
        for layer, (weight_in, weight_back, bias_in, bias_back) in enumerate(self._layers):
            hidden, heard, known, new = self.hidden[layer], self._heard, self._known, self._new
            np.matmul(entry, weight_in, out=heard)
            heard += bias_in
            np.matmul(hidden, weight_back, out=known)
            known += bias_back
            gates = heard[:, : 2 * width]
            gates += known[:, : 2 * width]
            gates *= 0.5  # the logistic function, as one half and half a hyperbolic tangent: it cannot overflow
            np.tanh(gates, out=gates)
            gates += 1
            gates *= 0.5
            np.multiply(gates[:, :width], known[:, 2 * width :], out=new)
            new += heard[:, 2 * width :]
            np.tanh(new, out=new)
            hidden -= new
            hidden *= gates[:, width:]
            hidden += new
            entry = hidden
        np.matmul(entry, self._outward, out=self._out)
        self._out += self._outward_bias
        return self._out


class NetworkMasks:
    """Correct the masks of beams by a network that was trained in simulated rooms.

    For each place the network hears the reference microphone, the beam to the place, the strongest of the other beams
    and the masks of :class:`~earmark.pipeline.scene.separator.BeamMasks`, and gives a number ``a_k`` for each
    frequency. The masks are ``m_k exp(a_k) / sum(m_j exp(a_j))`` with the masks ``m_k`` of the beams: a network that
    says nothing leaves them as they are. Positions of microphones reach it through the beams only, so that one set of
    weights serves every array; every place has the same weights and its own memory.

    It works on 0 to 8 kHz, the same frequencies at any rate. Above, where it was never trained, the masks of the beams
    get the mean of its numbers for 7 to 8 kHz.

    Parameters
    ----------
    array : Array
    framing : Framing
        With windows of 8 ms, at 16 kHz or above.
    weights : dict of array
        Of the network, see :data:`SHAPES`.
    n_places : int
        Number of talkers at most, 2 to 4. It was trained with two.

    Raises
    ------
    SceneError
        If frequencies or weights do not fit, or the number of places is out of range.
    """

    delay = 0

    def __init__(
        self, array: Array, framing: Framing, weights: Mapping[str, NDArray[np.floating]], n_places: int = 2
    ) -> None:
        self._features = BeamFeatures(array, framing, n_places)
        self._gates = Gates(weights, n_places)
        self.sfreq, self.hop, self.n_bins = framing.sfreq, framing.hop, framing.n_bins
        self.n_mics, self.n_places = array.n_mics, n_places
        self._changes = np.zeros((n_places, framing.n_bins), np.float32)
        self._sum = np.zeros(framing.n_bins, np.float32)
        self.memory = self._features.beams.memory + self._gates.memory + self._changes.nbytes

    def process(self, spectra: NDArray[np.complex64], directions: NDArray[np.float64], /) -> NDArray[np.float32]:
        """Return the masks for the newest spectra, see :class:`~earmark.pipeline.scene.separator.Separator`."""
        masks = self._features.push(spectra, directions)
        used = self._features.used
        if np.count_nonzero(used) < 2:
            self._gates.hidden[:] = 0
            return masks
        found = self._gates.step(self._features.values.reshape(self.n_places, -1))
        self._gates.hidden[:, ~used] = 0  # who comes later starts anew
        changes = self._changes
        np.clip(found, -LIMIT, LIMIT, out=changes[:, :N_BINS])
        changes[:, N_BINS:] = changes[:, TOP:N_BINS].mean(axis=1, keepdims=True)
        np.exp(changes, out=changes)
        changes *= masks
        np.sum(changes, axis=0, out=self._sum)
        changes /= self._sum
        return changes

    def reset(self) -> None:
        """Forget all spectra."""
        self._features.reset()
        self._gates.hidden[:] = 0

    def state(self) -> State:
        """Return the memory of beams, level and network."""
        return within("features", self._features.state()) | {"hidden": self._gates.hidden.copy()}

    def restore(self, state: State) -> None:
        """Restore what :meth:`state` returned."""
        self._features.restore(below("features", state))
        self._gates.hidden[:] = state["hidden"]
