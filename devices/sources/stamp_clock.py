"""Whether time stamps are of LSL's clock."""

from __future__ import annotations

import time

#: Seconds by which a stamp may differ from its arrival: no sender holds samples back for longer.
FAR_S = 5.0
#: Seconds by which what looks like Unix time may differ from it: clocks are set wrong, and by time zones.
_UNIX_S = 2 * 86400.0


def other_clock(stamp: float, arrival: float) -> str:
    """Say that stamps are not of LSL's clock, and what to do about it; nothing if they are.

    Parameters
    ----------
    stamp : float
        Of a sample, after the clock offset to its sender, in seconds.
    arrival : float
        LSL time at which the sample came.
    """
    ahead = stamp - arrival
    if not abs(ahead) > FAR_S:  # which is also true for NaN
        return ""
    unix = ", as Unix time is" if abs(stamp - time.time()) < _UNIX_S else ""
    return (
        f"its time stamps are {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} LSL's clock{unix}, so nothing "
        "can be aligned with it: have its sender stamp samples by LSL's local_clock(), or push them without a stamp"
    )
