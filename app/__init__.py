"""What a person starts: commands, configuration, the engine, replay, reports."""

import os

import lazy_loader

# One thread each, set before numpy is first imported: on a shared machine more threads cost latency, and the
# order of a sum, hence the last bit of a replay, may depend on their number.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[_name] = "1"

# Nothing that lies in the folder where a command was started is program: neither this command's children nor theirs
# look for modules there, whatever it holds. (An installed command does not either.)
os.environ["PYTHONSAFEPATH"] = "1"

# What is public, by name: in __init__.pyi. A name is imported when it is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
