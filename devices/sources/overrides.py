"""What the user says of a stream: it fills in what the stream does not say, and corrects what it says wrong.

The same words stand in ``[streams.NAME]`` of a session and are options of the commands that read recordings.
"""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fnmatch import fnmatchcase
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from earmark.kernels.errors import EarmarkError
from earmark.pipeline.stream import ELECTRODES, StreamSpec
from earmark.pipeline.units import has_factor, microvolts, stated_unit

log = logging.getLogger(__name__)

#: Types that the user can give.
TYPES = (*ELECTRODES, "misc")
#: Types that ``ch_type`` takes the place of where they are stated: an amplifier calls everything EEG.
_REPLACED = ("eeg", "seeg", "ecog")
#: A rate that differs by more than this part of the stated one is no correction, but another set-up.
MAX_CORRECTION = 0.1
#: Channels that a message names.
_NAMED = 5


class OverrideError(EarmarkError, ValueError):
    """Raised when what the user says of a stream does not fit it."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the user says of a stream.

    Attributes
    ----------
    unit : str
        Of electrodes whose unit is not stated, or stated as something that is no voltage. A number before it is what
        one step of the numbers is worth (``0.0488 uV``), and holds whatever is stated.
    ch_type : str
        Of channels whose type is not stated, or by a word that is not known, and of all that are stated to be EEG,
        SEEG or ECoG. Others (EOG, triggers, ...) keep theirs.
    channels : tuple of str
        Names or patterns (``*``, ``?``, ``[...]``) of the channels to keep; one with ``!`` before it is left out.
    bads : tuple of str
        Names or patterns of channels that are not to be trusted. Their samples are not numbers from here on, so they
        are masked for as long as the stream lasts.
    sfreq : float or None
        Rate in Hz: where none is stated, or in the place of one that is wrong by at most 10 %.

    Raises
    ------
    OverrideError
        If the unit is no voltage, the type unknown, or the rate no rate.
    """

    #: How recordings, which keep this, are read.
    __pydantic_config__: ClassVar = {"strict": True, "extra": "forbid"}
    unit: str = ""
    ch_type: str = ""
    channels: tuple[str, ...] = ()
    bads: tuple[str, ...] = ()
    sfreq: float | None = None

    def __post_init__(self) -> None:
        if self.unit and microvolts(self.unit) is None:
            wanted = "V, mV, uV or nV, or a number of them that one step of the stream is worth, as '0.0488 uV'"
            raise OverrideError(f"unit is {self.unit!r}, but must be {wanted}")
        if self.ch_type and self.ch_type not in TYPES:
            raise OverrideError(f"ch_type is {self.ch_type!r}, but must be one of {', '.join(TYPES)}")
        if self.sfreq is not None and not 0 < self.sfreq < math.inf:
            raise OverrideError(f"sfreq is {self.sfreq}, but must be a positive number of Hz")

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_json` gave."""
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in said.items()}
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Everything that is said, for a recording."""
        return {key: value for key, value in asdict(self).items() if value}

    def over(self, before: Overrides) -> Overrides:
        """Return all that was said: this, and of what it leaves open what was said before."""
        return Overrides(**{key.name: getattr(self, key.name) or getattr(before, key.name) for key in fields(self)})

    def apply(self, spec: StreamSpec, untyped: Collection[int] = ()) -> Applied:
        """Say what a stream is, now that the user has spoken.

        Parameters
        ----------
        spec : StreamSpec
            What the stream says of itself.
        untyped : collection of int
            Channels whose type it does not say, or by a word that is not known.

        Raises
        ------
        OverrideError
            If a channel is not there, none is left, or a stated unit or rate is contradicted.
        """
        said: list[str] = []
        kinds = self._types(spec, untyped)
        units = self._units(spec, kinds, said)
        sfreq = self._rate(spec, said)
        chosen = _choice(self.channels, spec.ch_names)
        if not chosen:
            raise OverrideError(f"channels is {', '.join(self.channels)}, which leaves none of {few(spec.ch_names)}")
        bads = {name for pattern in self.bads for name in _matches("bads", pattern, spec.ch_names)}
        spec = spec.evolve(ch_types=kinds, units=units, sfreq=sfreq)
        indices = None if len(chosen) == spec.n_channels else chosen
        if indices is not None:
            spec = spec.pick(indices)
        bad = np.array([name in bads for name in spec.ch_names])
        return Applied(spec, indices, bad if bad.any() else None, tuple(said))

    def _types(self, spec: StreamSpec, untyped: Collection[int]) -> tuple[str, ...]:
        if not self.ch_type:
            return spec.ch_types
        return tuple(
            self.ch_type if kind in _REPLACED or (i in untyped and _may_be_voltage(unit)) else kind
            for i, (kind, unit) in enumerate(zip(spec.ch_types, spec.units, strict=True))
        )

    def _units(self, spec: StreamSpec, kinds: Sequence[str], said: list[str]) -> tuple[str, ...]:
        if not self.unit:
            return spec.units
        electrodes = [i for i, kind in enumerate(kinds) if kind in ELECTRODES]
        other = [i for i in electrodes if stated_unit(spec.units[i]) and not _same(spec.units[i], self.unit)]
        words = ", ".join(f"{spec.units[i]!r} of {spec.ch_names[i]!r}" for i in other[:_NAMED])
        words += f" and {len(other) - _NAMED} more" if len(other) > _NAMED else ""
        if not has_factor(self.unit) and any(microvolts(spec.units[i]) is not None for i in other):
            raise OverrideError(
                f"unit is {self.unit!r}, but {words} is stated: leave out 'unit', or, if what is stated is wrong, "
                f"give it with a number, as '1 {self.unit}', which holds whatever is stated"
            )
        if other:
            said.append(f"unit {self.unit!r} holds in the place of {words}")
        return tuple(self.unit if i in electrodes else unit for i, unit in enumerate(spec.units))

    def _rate(self, spec: StreamSpec, said: list[str]) -> float:
        if self.sfreq is None or self.sfreq == spec.sfreq:
            return spec.sfreq
        if spec.sfreq and abs(self.sfreq / spec.sfreq - 1) > MAX_CORRECTION:
            raise OverrideError(
                f"sfreq is {self.sfreq:g}, but the rate stated is {spec.sfreq:g} Hz, which is another one: "
                "set the sender to the rate that is wanted, or give the one that it has"
            )
        if spec.sfreq:
            said.append(f"sfreq {self.sfreq:g} Hz holds in the place of {spec.sfreq:g} Hz")
        return self.sfreq


NOTHING = Overrides()


@dataclass(frozen=True, slots=True)
class Applied:
    """A stream after the user's word.

    Attributes
    ----------
    spec : StreamSpec
        What it is.
    indices : list of int or None
        Which of its channels are kept; None if all are.
    bad : array of bool, shape (n_channels,), or None
        Those of them that are bad; None if none is.
    said : tuple of str
        What is stated, and does not hold, in words.
    """

    spec: StreamSpec
    indices: list[int] | None
    bad: NDArray[np.bool_] | None
    said: tuple[str, ...]

    @property
    def as_sent(self) -> bool:
        """Whether samples stay as they are."""
        return self.indices is None and self.bad is None

    def take(self, data: NDArray[Any]) -> NDArray[Any]:
        """Return samples of the channels that are kept, shape (n_samples, n_channels), NaN where they are bad."""
        if self.indices is not None:
            data = np.take(data, self.indices, axis=1)
        if self.bad is not None:
            # Whatever numbers they are, those of good channels keep every bit.
            data = data.astype(np.result_type(data.dtype, np.float32))
            data[:, self.bad] = np.nan
        return data

    def warn(self, name: str) -> None:
        """Log what is stated and does not hold."""
        for words in self.said:
            log.warning("%s: %s", name, words)


def _may_be_voltage(unit: str) -> bool:
    return not stated_unit(unit) or microvolts(unit) is not None


def _same(one: str, other: str) -> bool:
    return microvolts(one) is not None and microvolts(one) == microvolts(other)


def _choice(patterns: Sequence[str], names: Sequence[str]) -> list[int]:
    """Indices of the channels that are kept, in the order of the stream."""
    wanted = [p for p in patterns if not p.startswith("!") or p in names]
    kept = {name for p in wanted for name in _matches("channels", p, names)} if wanted else set(names)
    kept -= {name for p in patterns if p not in wanted for name in _matches("channels", p[1:], names)}
    return [i for i, name in enumerate(names) if name in kept]


def _matches(key: str, pattern: str, names: Sequence[str]) -> list[str]:
    found = [pattern] if pattern in names else [name for name in names if fnmatchcase(name, pattern)]
    if not found:
        raise OverrideError(f"{key} names {pattern!r}, which no channel is called: {nearest(pattern, names)}")
    return found


def nearest(name: str, names: Sequence[str]) -> str:
    """Which name may have been meant, for a message; or all that there are."""
    close = [one for one in names if one.casefold() == name.casefold()] or difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {few(names) or 'none'}"


def few(names: Sequence[str], n: int = 40) -> str:
    """Names for a message, and how many there are beyond ``n``."""
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")
