"""Keys, display and errors of the sound check; playing is tested with real processes elsewhere."""

import re
import signal
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import typer
from rich.console import Console
from typer.testing import CliRunner

from earmark.app.commands.play import Desk, Display, azimuth, dbfs, ended, meter, play
from earmark.app.terminal.console import clock
from earmark.app.terminal.keyboard import Keyboard, split_keys
from earmark.devices.audio.scene import Prepared, Scene, Talker
from earmark.pipeline.stream import ClockMap


class FakeEngine:
    """An engine that stores what it is asked to do."""

    def __init__(self, *azimuths):
        self.scene = Scene(tuple(Talker(f"t{k}", "x.wav", at) for k, at in enumerate(azimuths)))
        self.restarts = 2
        self.muted, self.master_db, self.gains_db, self.azimuths = False, 0.0, None, None

    def set_gains(self, gains_db):
        self.gains_db = list(gains_db)

    def mute(self, on):
        self.muted = on

    def master(self, master_db):
        self.master_db = master_db

    def move(self, azimuths):
        self.azimuths = list(azimuths)

    def status(self):
        return STATUS


STATUS = SimpleNamespace(
    heartbeat=10,
    frames=480,
    clock=ClockMap(0.0, 0.0, 1 / 48_000),
    gains_db=np.array([3.0, -9.0]),
    rms=np.array([0.1, 0.0]),
    peak=np.array([0.5, 0.0]),
    out_peak=np.array([0.25, 0.0]),
    positions=np.array([48_000 * 75, 0]),
    master_db=-4.0,
    limiter_db=1.25,
    sink=b"Some Card",
    latency_s=0.0107,
    fifo=True,
    xruns=1,
    late=2,
    missed=3,
)


def desk(*azimuths):
    engine = FakeEngine(*azimuths)
    return Desk(engine), engine


def test_number_keys_favour_a_talker_and_0_none():
    it, engine = desk(-30.0, 0.0, 30.0)
    assert it.press("2") == "t0 -9 dB, t1 +3 dB, t2 -9 dB"
    assert engine.gains_db == [-9.0, 3.0, -9.0]
    it.press("0")
    assert engine.gains_db == [0.0, 0.0, 0.0]
    assert it.press("4") == ""
    assert engine.gains_db == [0.0, 0.0, 0.0], "there is no fourth talker"


def test_escape_mutes_and_only_mutes_while_m_does_both():
    it, engine = desk(0.0)
    for key, muted in (("esc", True), ("esc", True), ("m", False), ("m", True), ("esc", True), ("m", False)):
        assert it.press(key) == ("MUTED" if muted else "unmuted")
        assert engine.muted is muted
    assert engine.gains_db is engine.azimuths is None


def test_arrows_move_the_selected_talker_by_at_most_90_degrees():
    it, engine = desk(-80.0, 85.0)
    for _ in range(3):
        it.press("left")
    assert engine.azimuths == [-90.0, 85.0]
    it.press("2")
    assert it.press("right") == "t1 at 90° right"
    it.press("right")
    assert engine.azimuths == [-90.0, 90.0]
    assert it.press("left") == "t1 at 85° right"


def test_master_gain_stays_between_minus_60_and_0_db():
    it, engine = desk(0.0)
    for key, master in (("+", 0.0), ("-", -1.0), ("_", -2.0), ("=", -1.0)):
        it.press(key)
        assert engine.master_db == master
    for _ in range(100):
        it.press("-")
    assert engine.master_db == -60.0


@pytest.mark.parametrize("key", ["x", "", "9", "\x1b[A", "Q", "\n"])
def test_other_keys_do_nothing(key):
    it, engine = desk(0.0)
    assert it.press(key) == ""
    assert (engine.muted, engine.master_db, engine.gains_db, engine.azimuths) == (False, 0.0, None, None)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("12m", ["1", "2", "m"]),
        ("\x1b", ["esc"]),
        ("\x1b\x1b", ["esc", "esc"]),
        ("\x1b[C\x1b[D\x1bOC\x1bOD", ["right", "left", "right", "left"]),
        ("\x1b[Aq", ["\x1b[A", "q"]),
        ("\x1b[3~", ["\x1b[3~"]),
        ("\x1bm", ["esc", "m"]),
        ("\x1b[", ["esc", "["]),
        ("", []),
    ],
)
def test_terminal_input_is_split_into_keys(text, keys):
    assert split_keys(text) == keys


def test_without_a_terminal_setting_stop_ends_the_wait():
    stop = threading.Event()
    keyboard = Keyboard(stop)
    assert not keyboard.available, "pytest has no terminal"
    with keyboard:
        threading.Timer(0.1, stop.set).start()
        assert keyboard.wait(60.0) == []
    assert stop.is_set()


def test_formats_of_azimuth_time_and_level():
    assert [azimuth(at) for at in (-30.0, 0.0, 12.5)] == ["30° left", "ahead", "12.5° right"]
    assert [clock(s) for s in (0.0, 59.94, 61.0, 600.5)] == ["0:00.0", "0:59.9", "1:01.0", "10:00.5"]
    assert [clock(s) for s in (59.96, 119.99)] == ["1:00.0", "2:00.0"], "no minute has 60 seconds"
    assert [dbfs(x) for x in (1.0, 0.5, 0.0)] == ["0.0", "-6.0", "-∞"]
    assert meter(1.0, 1.0, 10) == "██████████   0.0"
    assert meter(10**-1.5, 0.5, 10) == "█████·····  -6.0"
    assert meter(0.0, 0.0, 10).startswith("··········")
    assert meter(4.0, 4.0, 10).startswith("██████████ ")


def prepared(*lengths, loop=False):
    talkers = tuple(Talker(f"t{k}", "x.wav", loop=loop) for k in range(len(lengths)))
    pcm = tuple(None if n is None else np.zeros(n, np.float32) for n in lengths)
    return Prepared(Scene(talkers), pcm, np.zeros(0), np.zeros((0, 2, 0)))


def status(*positions, heartbeat=1):
    return SimpleNamespace(positions=np.array([*positions, 0, 0]), heartbeat=heartbeat)


def test_playing_ends_with_the_last_file():
    assert ended(prepared(10, 20), status(10, 20))
    assert not ended(prepared(10, 20), status(10, 19))
    assert not ended(prepared(10, 20, loop=True), status(10, 20))
    assert not ended(prepared(10, None), status(10, 20)), "a live talker may speak at any time"
    assert not ended(prepared(10), status(10, heartbeat=0))


@pytest.mark.parametrize("muted", [False, True])
def test_display_shows_talkers_output_and_faults(muted):
    engine = FakeEngine(-30.0, 0.0)
    it = Desk(engine)
    it.muted = muted
    display = Display(engine, prepared(48_000 * 125, None), it)
    display.add_latency(STATUS)
    console = Console(width=120, force_terminal=False)
    with console.capture() as captured:
        console.print(display.show(STATUS))
    shown = captured.get()
    for words in (
        "▸1",
        "+3.0 dB",
        "-9.0 dB",
        "-6.0",
        "30° left",
        "ahead",
        "1:15.0 of 2:05.0",
        "0:00.0 live",
        "output peak -12.0 -∞ dBFS, cap -6",
        "master -4 dB",
        "limiter -1.2 dB",
        "Some Card",
        "11 ms according to the driver",
        "; real-time priority",
        "1 xruns, 2 late and 3 missed of 10 buffers, 2 restarts",
    ):
        assert words in shown, (words, shown)
    assert ("MUTED" in shown) == muted


@pytest.fixture
def refused(tmp_path):
    """Runs the command on a talker from x.wav; it must end with an error message that matches."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}

    def run(words, *more, table=""):
        path = tmp_path / "sound.toml"
        talker = '[[sound.talkers]]\nname = "ann"\nsource = "x.wav"\n'
        path.write_text(f'[sound]\ndevice = "null"\nspace = "left_right"\n{table}\n{talker}')
        command = typer.Typer()
        command.command()(play)
        result = CliRunner().invoke(command, [str(path), "--no-publish", "--seconds", "1", *more])
        assert result.exit_code == 1, result.output
        assert re.search(words, result.stderr), result.stderr
        assert result.stderr.startswith("error: ")

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)


def sound(path, n_frames, n_channels=1, value=0.1):
    soundfile.write(path, np.full((n_frames, n_channels), value), 48_000, subtype="FLOAT")


def test_unusable_sound_file_is_named_with_the_fix(refused, tmp_path):
    path = tmp_path / "x.wav"
    refused(r"talker 'ann': .*x.wav is not there; give the path of a WAV")
    path.write_bytes(b"")
    refused(r"talker 'ann': .*x.wav cannot be read as sound .*; give the path of a WAV")
    path.write_text("this is no sound\n" * 100)
    refused(r"talker 'ann': .*x.wav cannot be read as sound")
    sound(path, 0)
    refused("holds no samples; use another file")
    sound(path, 48_000, 2)
    refused("has 2 channels; mix it to mono, or name one channel as .*x.wav#1")
    sound(path, 48_000, value=0.0)
    refused("is silent, so there is no loudness to match")
    sound(path, 4_800)
    refused(r"loudness is defined from 0.4 s on; use a longer file, or set loudness_lufs = .none. in \[sound\]")


def test_unknown_key_and_unwritable_output_are_refused(refused, tmp_path):
    sound(tmp_path / "x.wav", 48_000)
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "x.wav", 0.1 * rng.standard_normal(48_000), 48_000)
    refused(r"sound.toml: unknown key 'sound.devise': did you mean 'device'", table='devise = "x"')
    (tmp_path / "there.wav").write_bytes(b"")
    refused("there.wav exists already, and sound files are never overwritten", "--device", f"file:{tmp_path}/there.wav")
    refused("cannot write .*No such file", "--device", f"file:{tmp_path}/no/such/folder.wav")
