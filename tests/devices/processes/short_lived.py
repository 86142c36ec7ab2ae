"""Children for tests of what keeps them alive."""

import multiprocessing as mp
import os
import time

from earmark.devices.processes.ring import Ring
from earmark.devices.processes.spawn import leave_signals_to_parent


def beat(ring_name, beats):
    """Beat so often, then hang; end when asked to, or when the parent has died."""
    leave_signals_to_parent()
    ring, parent = Ring(ring_name), mp.parent_process()
    while not ring.closing and parent.is_alive():
        if beats:
            ring.beat()
            beats -= 1
        time.sleep(0.01)


def fail():
    os._exit(3)


def deaf():
    """Ignore everything that can be ignored."""
    leave_signals_to_parent()
    time.sleep(600)
