"""Run a command while every processor is burned by something else: what races there are show.

Use::

    python -m benchmarks.burn -- .venv/bin/python -m pytest tests/integration/test_demo.py

``--processes`` says how many burn, else there is one for each processor. They have normal priority, as other people's
programs do. The exit status is that of the command.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

#: Ends with the process that started it, however that ends.
BURN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))"


def main(arguments: list[str] | None = None) -> int:
    """Burn until the command has ended; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.burn", description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many burn (default: %(default)s)")
    parser.add_argument("command", nargs="+", help="what to run meanwhile, after --")
    given = parser.parse_args(arguments)
    burning = [subprocess.Popen([sys.executable, "-S", "-c", BURN]) for _ in range(given.processes)]
    try:
        return subprocess.run(given.command, check=False).returncode
    finally:
        for process in burning:
            process.kill()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
