"""Build sdist and wheel, and use them as a stranger would: ``python .ci/wheel.py [--quick]``, from anywhere.

Both are installed into fresh environments that borrow the libraries of this interpreter's environment. Another package
called ``kernels`` is installed beside the wheel, and commands are started in a folder of programs that have our names
or those of other modules. None of them may be run, and installing and removing that package may change nothing. The
demonstration has to succeed, and its replay has to be identical (not with ``--quick``).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Our folders, our name, and what others call their scripts; the last four are modules that children load first.
NAMES = ("earmark", "app", "devices", "kernels", "pipeline", "numpy", "queue", "random", "signal", "socket")
#: The most that one command may take, in seconds.
PATIENCE_S = 900


class Environment:
    """A fresh virtual environment that finds the libraries of this interpreter's, but no editable install.

    Parameters
    ----------
    folder : Path
        To make it in.
    distribution : Path
        To install.
    """

    def __init__(self, folder: Path, distribution: Path) -> None:
        self.python = folder / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        self.pip("install", "--no-deps", str(distribution))
        self.site = Path(self.says("import sysconfig; print(sysconfig.get_path('purelib'))"))
        # Only now, or pip would find an Earmark there. The .pth files in that folder are not read.
        (self.site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def pip(self, *words: str) -> None:
        """Run pip."""
        command = [str(self.python), "-P", "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
        subprocess.run(command, check=True, timeout=PATIENCE_S)

    def says(self, code: str) -> str:
        """Return what a piece of Python prints."""
        command = [str(self.python), "-P", "-c", code]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout.strip()

    def earmark(self, folder: Path, *words: str) -> None:
        """Run the installed command in a folder; its children must not see where this program looks for modules."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        command = [str(self.python.with_name("earmark")), *words]
        print("$ earmark", *words, flush=True)
        subprocess.run(command, check=True, cwd=folder, env=environment, timeout=PATIENCE_S)

    def digest(self) -> str:
        """Digest of all files of Earmark."""
        found = hashlib.sha256()
        for path in sorted((self.site / "earmark").rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(str(path.relative_to(self.site)).encode() + path.read_bytes())
        return found.hexdigest()


def build(folder: Path) -> tuple[Path, Path]:
    """Return an sdist, and the wheel that was built from it."""
    subprocess.run([sys.executable, "-P", "-m", "build", "--outdir", str(folder), str(ROOT)], check=True)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def check_content(wheel: Path) -> None:
    """Check that a wheel brings one import name, what type checkers need, and every file of our folders."""
    every = zipfile.ZipFile(wheel).namelist()
    names = [name for name in every if ".dist-info/" not in name and ".data/data/share/" not in name]
    assert any(name.endswith("/share/applications/earmark.desktop") for name in every), every
    assert {name.split("/")[0] for name in names} == {"earmark"}, names
    tops = ("app", "devices", "kernels", "pipeline")
    tracked = subprocess.run(["git", "-C", str(ROOT), "ls-files", *tops], check=True, capture_output=True, text=True)
    files = [name.replace("devices/testing/", "testing/") for name in tracked.stdout.split("\n") if name]
    lacking = {f"earmark/{name}" for name in files} - set(names)
    assert all(name.endswith(".png") for name in lacking), f"not in the wheel: {sorted(lacking)}"
    assert {f"earmark/{top}/py.typed" for top in tops} <= set(names)


def foreign_kernels(folder: Path, trace: Path) -> Path:
    """Make a wheel of somebody else's package ``kernels``, which leaves a trace when it is imported."""
    path, info = folder / "kernels-1.0-py3-none-any.whl", "kernels-1.0.dist-info"
    files = {
        "kernels/__init__.py": f"open({str(trace)!r}, 'w').close()\n",
        "kernels/cascade.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: kernels\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: earmark\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{name},sha256={digest},{len(text)}")
        archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,", ""]))
    return path


def check_wheel(place: Path, wheel: Path, quick: bool) -> None:
    """Use the installed wheel beside other programs with our names."""
    environment, lab, traces = Environment(place / "wheel", wheel), place / "lab", place / "traces"
    lab.mkdir()
    traces.mkdir()
    for name in NAMES:
        (lab / f"{name}.py").write_text(f"open({str(traces / name)!r}, 'w').close()\n")
    found = environment.says("import earmark.pipeline; print(earmark.pipeline.__file__)")
    assert Path(found).is_relative_to(environment.site), found
    before = environment.digest()
    environment.earmark(lab, "--version")
    environment.pip("install", "--no-deps", str(foreign_kernels(place, traces / "foreign-kernels")))
    assert (environment.site / "kernels" / "cascade.py").exists()
    assert environment.digest() == before, "another package's files replaced ours"
    environment.earmark(lab, "--version")
    environment.earmark(lab, "bench", "--help")
    if not quick:
        environment.earmark(lab, "demo", "--headless", "--seconds", "100", "--device", "null", "--out", "demonstration")
        (recording,) = (lab / "demonstration").rglob("loop.xdf")
        environment.earmark(lab, "replay", str(recording), "--verify")
    environment.pip("uninstall", "--yes", "kernels")
    assert environment.digest() == before, "another package took files of ours with it"
    environment.earmark(lab, "--version")
    assert not any(traces.iterdir()), f"run, but not ours: {sorted(path.name for path in traces.iterdir())}"


def main() -> None:
    """Build, check, and leave both files in ``dist``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="no demonstration")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory(prefix="earmark-dist-") as name:
        place = Path(name)
        sdist, wheel = build(place / "dist")
        check_content(wheel)
        Environment(place / "sdist", sdist).earmark(place, "--version")
        check_wheel(place, wheel, quick)
        shutil.rmtree(ROOT / "dist", ignore_errors=True)
        shutil.copytree(place / "dist", ROOT / "dist")
    print(f"dist/{sdist.name} and dist/{wheel.name}: built, installed, used")


if __name__ == "__main__":
    main()
