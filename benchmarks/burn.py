"""Run a command while other processes keep every core busy, to expose race conditions.

Use::

    python -m benchmarks.burn -- .venv/bin/python -m pytest tests/integration/test_demo.py

``--processes`` sets the number of busy processes; the default is one per core. They have normal priority. The exit
status is that of the command.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

#: Ends together with the process that started it, even if that is killed.
BURN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))"


def main(arguments: list[str] | None = None) -> int:
    """Keep the cores busy until the command has ended; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.burn", description=__doc__.splitlines()[0])
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="busy processes (default: %(default)s)")
    parser.add_argument("command", nargs="+", help="command to run meanwhile, after --")
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
