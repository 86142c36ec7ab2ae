"""Corrections of a stream's metadata by the user: they supply what the stream does not state and replace what is wrong.

The same settings are keys of ``[streams.NAME]`` in a session and options of the commands that read recordings.
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

#: Channel types that the user can give.
TYPES = (*ELECTRODES, "misc")
#: Stated types that ``ch_type`` replaces: amplifiers often declare everything as EEG.
_REPLACED = ("eeg", "seeg", "ecog")
#: A rate that differs from the stated one by more than this share is not a correction, but another set-up.
MAX_CORRECTION = 0.1
#: Maximum number of channels that a message names.
_NAMED = 5


class OverrideError(EarmarkError, ValueError):
    """Raised when a correction by the user does not fit the stream."""


@dataclass(frozen=True, slots=True)
class Overrides:
    """Corrections of a stream's metadata by the user.

    Attributes
    ----------
    unit : str
        Unit of electrodes whose unit is not stated, or is stated as something other than a voltage. With a number
        before it (``0.0488 uV``), it is the size of one step of the data and replaces any stated unit.
    ch_type : str
        Type of channels whose type is not stated or not known, and of all channels stated as EEG, SEEG or ECoG. Other
        channels (EOG, triggers, ...) keep their type.
    channels : tuple of str
        Names or patterns (``*``, ``?``, ``[...]``) of the channels to keep; with ``!`` before it, to leave out.
    bads : tuple of str
        Names or patterns of bad channels. Their samples are replaced by NaN, so that they stay masked for the whole
        stream.
    sfreq : float or None
        Rate in Hz if none is stated, or in place of a stated rate that is wrong by at most 10 %.

    Raises
    ------
    OverrideError
        If the unit is not a voltage, the type is unknown, or the rate is not a positive number.
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
        """Read the result of :meth:`to_json`."""
        values: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in said.items()}
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Return all settings, for a recording."""
        return {key: value for key, value in asdict(self).items() if value}

    def over(self, before: Overrides) -> Overrides:
        """Return these corrections, completed by those of ``before`` where these are not set."""
        return Overrides(**{key.name: getattr(self, key.name) or getattr(before, key.name) for key in fields(self)})

    def apply(self, spec: StreamSpec, untyped: Collection[int] = ()) -> Applied:
        """Apply the corrections to a stream's metadata.

        Parameters
        ----------
        spec : StreamSpec
            Metadata stated by the stream.
        untyped : collection of int
            Channels whose type is not stated or not known.

        Raises
        ------
        OverrideError
            If a named channel does not exist, no channel is left, or a stated unit or rate is contradicted.
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
                f"unit is {self.unit!r}, but {words} is stated: leave out 'unit', or, if the stated unit is wrong, "
                f"give it with a number, as '1 {self.unit}', which overrides it"
            )
        if other:
            said.append(f"unit {self.unit!r} is used instead of {words}")
        return tuple(self.unit if i in electrodes else unit for i, unit in enumerate(spec.units))

    def _rate(self, spec: StreamSpec, said: list[str]) -> float:
        if self.sfreq is None or self.sfreq == spec.sfreq:
            return spec.sfreq
        if spec.sfreq and abs(self.sfreq / spec.sfreq - 1) > MAX_CORRECTION:
            raise OverrideError(
                f"sfreq is {self.sfreq:g}, but the stated rate is {spec.sfreq:g} Hz, which differs: "
                "set the sender to this rate, or give its actual rate"
            )
        if spec.sfreq:
            said.append(f"sfreq {self.sfreq:g} Hz is used instead of {spec.sfreq:g} Hz")
        return self.sfreq


NOTHING = Overrides()


@dataclass(frozen=True, slots=True)
class Applied:
    """Metadata of a stream after the user's corrections.

    Attributes
    ----------
    spec : StreamSpec
        Corrected metadata.
    indices : list of int or None
        Indices of the channels that are kept; None for all.
    bad : array of bool, shape (n_channels,), or None
        Which of the kept channels are bad; None if none is.
    said : tuple of str
        Messages about stated values that were replaced.
    """

    spec: StreamSpec
    indices: list[int] | None
    bad: NDArray[np.bool_] | None
    said: tuple[str, ...]

    @property
    def as_sent(self) -> bool:
        """Whether samples are passed on unchanged."""
        return self.indices is None and self.bad is None

    def take(self, data: NDArray[Any]) -> NDArray[Any]:
        """Return the samples of the kept channels, shape (n_samples, n_channels), NaN in bad channels."""
        if self.indices is not None:
            data = np.take(data, self.indices, axis=1)
        if self.bad is not None:
            # The result type holds every value of good channels exactly.
            data = data.astype(np.result_type(data.dtype, np.float32))
            data[:, self.bad] = np.nan
        return data

    def warn(self, name: str) -> None:
        """Log a warning for each stated value that was replaced."""
        for words in self.said:
            log.warning("%s: %s", name, words)


def _may_be_voltage(unit: str) -> bool:
    return not stated_unit(unit) or microvolts(unit) is not None


def _same(one: str, other: str) -> bool:
    return microvolts(one) is not None and microvolts(one) == microvolts(other)


def _choice(patterns: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return the indices of the kept channels, in stream order."""
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
    """Return for a message: the most similar name, or a list of all names."""
    close = [one for one in names if one.casefold() == name.casefold()] or difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are {few(names) or 'none'}"


def few(names: Sequence[str], n: int = 40) -> str:
    """Return for a message: the first ``n`` names, and the number of the others."""
    return ", ".join(names[:n]) + (f" and {len(names) - n} more" if len(names) > n else "")
