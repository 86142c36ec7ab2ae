"""Commands, configuration of sessions, the engine, replay and reports."""

import os

import lazy_loader

# One thread each, set before numpy is first imported: on a shared machine more threads cost latency, and the order
# of a sum, hence the last bit of a replay, may depend on the number of threads.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[_name] = "1"

# Child processes must not import modules from the folder where the command was started, whatever it contains. (An
# installed command does not do so itself.)
os.environ["PYTHONSAFEPATH"] = "1"

# Public names are listed in __init__.pyi; each is imported on first use.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
