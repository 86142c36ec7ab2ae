"""Check that time stamps come from LSL's clock."""

from __future__ import annotations

import time

#: Maximum difference in seconds between a stamp and its arrival: no sender holds samples back for longer.
FAR_S = 5.0
#: Maximum difference in seconds between a stamp and Unix time for the stamp to count as Unix time: system clocks may be
#: wrong, also by a time zone.
_UNIX_S = 2 * 86400.0


def other_clock(stamp: float, arrival: float) -> str:
    """Return a message if stamps do not come from LSL's clock, with the fix; an empty string if they do.

    Parameters
    ----------
    stamp : float
        Stamp of a sample in seconds, corrected for the clock offset of its sender.
    arrival : float
        LSL time at which the sample arrived.
    """
    ahead = stamp - arrival
    if not abs(ahead) > FAR_S:  # which is also true for NaN
        return ""
    unix = ", as Unix time is" if abs(stamp - time.time()) < _UNIX_S else ""
    return (
        f"its time stamps are {abs(ahead):.0f} s {'ahead of' if ahead > 0 else 'behind'} LSL's clock{unix}, so nothing "
        "can be aligned with it: have its sender stamp samples by LSL's local_clock(), or push them without a stamp"
    )
