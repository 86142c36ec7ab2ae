"""What a person starts: commands, configuration, the engine, replay, reports."""

import os

# One thread each, set before numpy is first imported: on a shared machine more threads cost latency, and the
# order of a sum, hence the last bit of a replay, may depend on their number.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"):
    os.environ[_name] = "1"
