"""The window on a real X server, used with mouse and keys; screenshots go to build/screenshots."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the window's libraries are not installed: pip install 'earmark[desktop]'")
MISSING = [tool for tool in ("Xvfb", "xdotool", "openbox") if shutil.which(tool) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "build" / "screenshots"

#: Height for the frame of the window manager, in pixels.
FRAME = 40
GRAB = """
import sys
from PySide6.QtGui import QGuiApplication
app = QGuiApplication([])
sys.exit(not app.primaryScreen().grabWindow(0).save(sys.argv[1]))
"""
COLOURS = """
import sys
from PySide6.QtGui import QImage
image = QImage(sys.argv[1])
print(len({image.pixel(x, y) for x in range(0, image.width(), 3) for y in range(0, image.height(), 3)}))
"""


class Screen:
    """A separate X server, with or without a window manager."""

    def __init__(self, size, manager=True):
        width, height = map(int, size.split("x"))
        read, write = os.pipe()
        self._server = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{width}x{height + FRAME}x24", "-nolisten", "tcp"],
            pass_fds=(write,),
            stderr=subprocess.DEVNULL,
        )
        os.close(write)
        with os.fdopen(read) as pipe:
            display = pipe.readline().strip()
        assert display, "Xvfb did not start"
        self.environment = os.environ | {"DISPLAY": f":{display}", "QT_QPA_PLATFORM": "xcb", "QT_LOGGING_RULES": ""}
        self._running = [self._server]
        if manager:
            self._running.insert(0, subprocess.Popen(["openbox"], env=self.environment, stderr=subprocess.DEVNULL))

    def do(self, *words):
        command = ["xdotool", *map(str, words)]
        done = subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True, timeout=600)
        return done.stdout.split()

    def picture(self, name):
        PICTURES.mkdir(parents=True, exist_ok=True)
        path = PICTURES / f"{name}.png"
        environment = self.environment | {"QT_SCALE_FACTOR": "1"}
        subprocess.run([sys.executable, "-c", GRAB, str(path)], env=environment, check=True, timeout=600)
        return path

    def close(self):
        for process in self._running:
            process.terminate()
            process.wait(10)


@pytest.fixture
def shown(tmp_path):
    """Opens a window on a session; returns screen, session, window id and process."""
    from made_up_session import FakeSession

    started = []

    def start(size="1280x720", scale=1, theme="light", manager=True, **options):
        screen = Screen(size, manager)
        started.append(screen.close)
        session = FakeSession(tmp_path / "alice", **options)
        started.append(session.stop)
        environment = screen.environment | {"QT_SCALE_FACTOR": str(scale), "XDG_CONFIG_HOME": str(tmp_path / "config")}
        process = subprocess.Popen(
            [sys.executable, "-m", "earmark.app.cli", "dashboard", str(session.folder), "--theme", theme],
            cwd=ROOT,
            env=environment,
        )

        def end():
            process.kill()
            process.wait()

        started.append(end)
        window = screen.do("search", "--sync", "--onlyvisible", "--name", "alice – Earmark")[-1]
        if manager:
            screen.do("windowactivate", "--sync", window)
        screen.do("windowmove", window, 0, 0)
        screen.do("windowsize", window, *size.split("x"))
        if not manager:
            screen.do("windowfocus", "--sync", window)
        return screen, session, window, process

    yield start
    for end in reversed(started):
        end()


def n_colours(picture):
    """Count the colours of a picture."""
    command = [sys.executable, "-c", COLOURS, str(picture)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=600).stdout)


def wait_for(condition, seconds=180.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"condition not met within {seconds:g} s")


def received(session, command):
    return [arguments for name, arguments in session.received if name == command]


def test_keys_send_their_commands(shown):
    screen, session, window, process = shown(talkers=2, channels=32)
    screen.do("key", "Escape")
    wait_for(lambda: received(session, "mute") == [{"on": True}])
    screen.do("key", "Escape")
    wait_for(lambda: len(received(session, "mute")) == 2)
    screen.picture("muted")
    screen.do("key", "m")
    wait_for(lambda: received(session, "mute")[-1] == {"on": False})
    screen.do("key", "F2")
    wait_for(lambda: received(session, "override") == [{"talker": 1}])
    screen.do("key", "shift+F1")
    wait_for(lambda: received(session, "trim") == [{"talker": 0, "mute": True}])
    screen.do("key", "alt+2")
    screen.do("type", "--", "-7.5")
    screen.do("key", "Return")
    wait_for(lambda: received(session, "trim")[-1] == {"talker": 1, "db": -7.5})
    screen.do("key", "n")
    screen.do("type", "hello")
    screen.do("key", "Return")
    wait_for(lambda: received(session, "note") == [{"text": "hello"}])
    screen.do("key", "ctrl+p")
    wait_for(lambda: len(received(session, "pause")) == 1)
    for page in "1340":
        screen.do("key", f"ctrl+{page}")
        time.sleep(1.0)
        screen.picture(f"page-{page}")
    screen.do("key", "ctrl+2")
    screen.do("key", "F11")
    time.sleep(1.0)
    screen.picture("participant")
    screen.do("windowactivate", "--sync", window)
    screen.do("key", "ctrl+q")
    time.sleep(1.5)
    screen.picture("closing-while-recording")
    assert process.poll() is None, "closing must ask for confirmation"
    assert session.process.is_alive()


def middle(picture):
    """Return pixels from the middle of a screenshot of a static page."""
    from PySide6.QtGui import QImage

    image = QImage(str(picture)).copy(300, 200, 600, 300)
    return [image.pixel(x, y) for x in range(0, 600, 5) for y in range(0, 300, 5)]


def settled(screen, name):
    """Return the middle of the screen once it has been the same for a second."""
    last, now = None, middle(screen.picture(name))
    while now != last:
        time.sleep(1.0)
        last, now = now, middle(screen.picture(name))
    return now


def test_list_of_keys_can_be_closed_without_a_window_manager(shown):
    screen, session, _, _ = shown(manager=False)
    first = middle(screen.picture("keys-first"))
    wait_for(lambda: middle(screen.picture("keys-live")) != first)  # traces move
    screen.do("key", "ctrl+0")
    before = settled(screen, "keys-before")
    for close in (("key", "question"), ("mousemove", 1200, 600, "click", 1)):
        screen.do("key", "question")
        wait_for(lambda: middle(screen.picture("keys")) != before)
        screen.do("key", "Escape")
        time.sleep(0.5)
        assert middle(screen.picture("keys")) != before, "Esc must only mute"
        screen.do(*close)
        wait_for(lambda: middle(screen.picture("keys-after")) == before)
    assert received(session, "mute") == [{"on": True}, {"on": True}]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("1280x720-light-8ch", {"size": "1280x720", "theme": "light", "channels": 8, "talkers": 2}),
        ("1280x720-dark-64ch-long", {"size": "1280x720", "theme": "dark", "channels": 64, "talkers": 4, "long": True}),
        ("1920x1080-light-128ch", {"size": "1920x1080", "theme": "light", "channels": 128, "talkers": 4}),
        ("1920x1080-dark-256ch", {"size": "1920x1080", "theme": "dark", "channels": 256, "sfreq": 500.0, "talkers": 2}),
        ("2x-light-64ch-long", {"size": "1928x1102", "scale": 2, "theme": "light", "channels": 64, "long": True}),
        ("2x-dark-128ch", {"size": "2560x1440", "scale": 2, "theme": "dark", "channels": 128, "talkers": 4}),
    ],
)
def test_window_fits_the_screen(shown, name, options):
    screen, session, window, process = shown(**options)
    time.sleep(8)  # until the topomap is ready
    wait_for(lambda: n_colours(screen.picture(name)) > 40)  # it takes longer on a busy machine
    geometry = dict(pair.split("=") for pair in screen.do("getwindowgeometry", "--shell", window) if "=" in pair)
    width, height = map(int, options["size"].split("x"))
    assert int(geometry["WIDTH"]) <= width, "the content must not force a wider window"
    assert int(geometry["HEIGHT"]) <= height
    assert n_colours(screen.picture(name)) > 40, "the window must not be blank"
    assert process.poll() is None
    assert session.process.is_alive()
