import errno
import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pylsl
import pytest
import typer
from typer.testing import CliRunner

import earmark.app.doctor
from earmark.app.doctor import CHECKS, doctor, machine, media, network, run_check
from earmark.app.doctor.check import Check, ProbeError, library, probe, run_tool

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="checked on Linux only")


def run(*arguments):
    command = typer.Typer()
    command.command()(doctor)
    return CliRunner().invoke(command, arguments)


def raising(error):
    def function(*_args, **_kwargs):
        raise error

    return function


def giving(value):
    return lambda *_args, **_kwargs: value


def no_space(free):
    return lambda _path: SimpleNamespace(free=free, total=free, used=0)


# --- the command


def test_all_checks_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    report = tmp_path / "report.json"
    result = run("--json", str(report))
    found = json.loads(report.read_text())
    assert [each["name"] for each in found["checks"]] == list(CHECKS)
    assert all(each["status"] in ("ok", "warn", "fail", "absent") and each["found"] for each in found["checks"])
    assert all(each["fix"] for each in found["checks"] if each["status"] in ("warn", "fail"))
    failed = [each for each in found["checks"] if each["status"] == "fail"]
    assert found["ok"] == (not failed)
    assert result.exit_code == bool(failed), result.output
    assert all(name in result.output for name in CHECKS)


def test_failed_check_gives_exit_status_1_and_its_fix_and_others_continue(monkeypatch):
    monkeypatch.setattr(
        earmark.app.doctor,
        "CHECKS",
        {
            "breaks": raising(OSError("pulled the plug")),
            "fails": giving(Check("fails", "fail", "[red]odd[/red] \\[name", "fix [it]")),
            "fine": giving(Check("fine", "ok", "all well")),
        },
    )
    result = run()
    assert result.exit_code == 1
    for text in ("OSError: pulled the plug", "[red]odd[/red] \\[name", "→ fix [it]", "all well", "breaks, fails"):
        assert text in result.output


@pytest.mark.parametrize("status", ["ok", "warn", "absent"])
def test_only_a_failed_check_gives_exit_status_1(monkeypatch, status):
    monkeypatch.setattr(earmark.app.doctor, "CHECKS", {"one": giving(Check("one", status, "this", "that"))})
    result = run()
    assert result.exit_code == 0
    assert ("No check failed, but see the warnings above: one." in result.output) == (status == "warn")
    assert ("No problems found" in result.output) == (status != "warn")


def test_unwritable_report_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(earmark.app.doctor, "CHECKS", {"one": giving(Check("one", "ok", "this"))})
    result = run("--json", str(tmp_path / "no" / "such.json"))
    assert result.exit_code == 1
    assert "such.json cannot be written: No such file" in result.output.replace("\n", "")


def test_programming_error_in_a_check_is_raised():
    with pytest.raises(TypeError):
        run_check("wrong", raising(TypeError("a bug of ours")))


# --- children and tools


def test_probe_returns_the_last_line_of_the_child():
    assert probe("import sys; print('noise'); print('{\"a\": \"%s\"}' % sys.argv[1])", "b", timeout=600) == {"a": "b"}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('no such device')", "code 1: no such device"),
        ("import os; os._exit(7)", "code 7: no message"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGABRT)", "code -6"),
        ("print('hello')", "answered 'hello'"),
        ("pass", "answered ''"),
    ],
)
def test_probe_error_says_why_there_is_no_answer(code, said):
    with pytest.raises(ProbeError, match=said):
        probe(code, timeout=600)


def test_probe_times_out():
    with pytest.raises(ProbeError, match="no answer within"):
        probe("import time; time.sleep(60)", timeout=0.3)


def test_tool_that_is_missing_fails_or_hangs_gives_none(tmp_path, monkeypatch):
    assert run_tool("no-such-tool-earmark") is None
    for name, script in (("fails", "exit 3"), ("hangs", "exec sleep 60"), ("works", "echo $LC_ALL")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert run_tool("fails") is None
    assert run_tool("hangs", timeout=0.3) is None
    assert run_tool("works") == "C\n"


def test_optional_library_is_reported_with_its_version():
    absent = library("X", "no_such_module_earmark", ("x",), "pip install x")
    assert (absent.status, absent.fix) == ("absent", "pip install x")
    assert library("X", "pytest", ("x-of-another-name", "pytest"), "").found == f"pytest {pytest.__version__}"
    assert library("X", "json", ("no-such-distribution-earmark",), "").found == "installed, version unknown"


def test_optional_library_is_not_imported(tmp_path, monkeypatch):
    (tmp_path / "crashes_at_import.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    assert library("X", "crashes_at_import", (), "").status == "ok"


# --- networks


def test_every_backend_for_networks_has_a_check():
    from earmark.kernels.runtime import BACKENDS

    media._backends.cache_clear()
    assert [name for name in CHECKS if name.startswith("networks by ")] == [f"networks by {name}" for name in BACKENDS]
    for name, runtime in BACKENDS.items():
        check = media.backend(name)
        assert check.status == ("absent" if runtime.absent() else "ok")
        assert check.found.startswith(runtime.absent() or next(iter(runtime.versions())))
        assert check.name in CHECKS


def test_backends_that_cannot_be_checked_fail(monkeypatch):
    monkeypatch.setattr(media, "_backends", raising(ProbeError("ended with code -11: no message")))
    check = media.backend("onnx")
    assert check.status == "fail"
    assert "code -11" in check.found


# --- LSL and network


@pytest.fixture
def configured(tmp_path, monkeypatch):
    """Write a configuration file for liblsl."""
    path = tmp_path / "lsl api.cfg"

    def write(text):
        path.write_text(text)
        monkeypatch.setenv("LSLAPICFG", str(path))
        return path

    return write


def test_lsl_library(monkeypatch):
    assert network.lsl_library().status == "ok"
    monkeypatch.setattr(pylsl, "library_version", lambda: 116)
    old = network.lsl_library()
    assert (old.status, "1.16" in old.found, "PYLSL_LIB" in old.fix) == ("warn", True, True)
    monkeypatch.setitem(sys.modules, "pylsl", None)
    assert network.lsl_library().status == "fail"


def test_lsl_configuration_is_reported_and_used(configured, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    path = configured("[lab]\nKnownPeers={10.0.0.5, 100%}\n[ports]\nMulticastPort=17000\nBasePort=17001\nPortRange=8\n")
    check = network.lsl_config()
    assert check.status == "ok"
    assert str(path) in check.found
    assert "knownpeers={10.0.0.5, 100%}" in check.found
    assert network.lsl_ports() == (17000, 17001, 17009)
    monkeypatch.delenv("LSLAPICFG")
    (tmp_path / "lsl_api.cfg").write_text("[ports]\nMulticastPort=17500\n")
    assert network.lsl_ports() == (17500, 16572, 16604)
    assert str(tmp_path / "lsl_api.cfg") in network.lsl_config().found


@pytest.mark.parametrize("text", ["no section\n", "[ports\n", "\xff\xfe\0"])
def test_invalid_lsl_configuration_fails(configured, text):
    path = configured("")
    path.write_bytes(text.encode("latin-1"))
    check = network.lsl_config()
    assert (check.status, bool(check.fix)) == ("fail", True)
    assert network.lsl_ports() == (16571, 16572, 16604)


def test_missing_lsl_configuration_fails(monkeypatch, tmp_path):
    monkeypatch.setenv("LSLAPICFG", str(tmp_path / "gone.cfg"))
    check = network.lsl_config()
    assert (check.status, check.fix) == ("fail", "correct or unset LSLAPICFG")
    assert "gone.cfg" in check.found


def test_invalid_lsl_port_gives_the_default_ports(configured):
    configured("[ports]\nBasePort=many\n")
    assert network.lsl_ports() == (16571, 16572, 16604)


def test_lsl_round_trip_is_measured():
    check = network.lsl_round_trip()
    assert check.status == "ok", check
    assert "worst of 100" in check.found


def test_round_trip_fails_if_lsl_finds_no_stream(configured):
    # liblsl reads its configuration once per process. Nothing answers at this address, reserved for documentation.
    path = configured("[log]\nlevel=-2\n[multicast]\nAddressesOverride={192.0.2.77}\n[tuning]\nMulticastMinRTT=60\n")
    code = (
        "from earmark.app.doctor.network import lsl_round_trip as f; c = f(); print(c.status, c.found, c.fix, sep='|')"
    )
    env = {**os.environ, "LSLAPICFG": str(path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=600, check=True
    )
    status, found, fix = done.stdout.strip().split("|")
    assert status == "fail"
    assert "not found" in found
    assert "multicast" in fix


def test_round_trip_fails_if_the_stream_is_lost(monkeypatch):
    monkeypatch.setattr(pylsl.StreamInlet, "open_stream", raising(pylsl.util.LostError("the stream has been lost.")))
    assert network.lsl_round_trip().found == "the stream has been lost."


def test_multicast_works_or_gives_a_warning():
    check = network.multicast()
    assert check.status in ("ok", "warn"), check


def test_multicast_without_an_answer_gives_a_warning():
    check = network.multicast(("192.0.2.77",))
    assert check.status == "warn"
    assert "KnownPeers" in check.fix


def test_multicast_fails_without_lsl(monkeypatch):
    monkeypatch.setattr(network, "probe", raising(ProbeError("ended with code 1: no liblsl")))
    assert network.multicast().status == "fail"


def test_interfaces_are_listed_with_multicast(monkeypatch):
    assert network.interfaces().status in ("ok", "warn")
    monkeypatch.setattr(network, "_addresses", lambda: [("lo", "127.0.0.1"), ("eth7", "10.9.8.7")])
    monkeypatch.setattr(network, "_hears_itself", lambda address: address == "127.0.0.1")
    check = network.interfaces()
    assert (check.status, check.found) == ("warn", "lo (127.0.0.1): multicast, eth7 (10.9.8.7): no multicast")
    monkeypatch.setattr(network, "_hears_itself", lambda _: True)
    assert network.interfaces().status == "ok"
    monkeypatch.setattr(network, "_addresses", lambda: [])
    assert network.interfaces().found == "none"


def test_address_of_another_machine_receives_no_multicast():
    assert not network._hears_itself("192.0.2.77")


UFW = "Status: active\n\n16571/udp ALLOW Anywhere\n"
NFT = "table inet filter {\n chain input {\n  type filter hook input priority filter; policy %s;\n }\n}\n"


@linux_only
@pytest.mark.parametrize(
    ("answers", "status", "said"),
    [
        ({}, "ok", "no active firewall"),
        ({"ufw": "Status: inactive\n"}, "ok", "no active firewall"),
        ({"ufw": UFW}, "warn", "ufw allow 16572:16604/tcp"),
        ({"ufw": UFW + "16572:16604/tcp ALLOW Anywhere\n"}, "ok", "with rules"),
        ({"firewall-cmd": "running\n"}, "warn", "--add-port=16571/udp"),
        ({"nft": NFT % "drop"}, "warn", "UDP 16571"),
        ({"nft": NFT % "accept"}, "ok", "no active firewall"),
        ({"nft": None}, "absent", "only root"),
    ],
)
def test_firewall_is_found_with_the_missing_rules(monkeypatch, answers, status, said):
    monkeypatch.delenv("LSLAPICFG", raising=False)
    monkeypatch.setattr(network, "run_tool", lambda tool, *_: answers.get(tool))
    monkeypatch.setattr(network, "_enabled_in", giving(False))
    monkeypatch.setattr(shutil, "which", lambda tool: tool if tool in answers else None)
    check = network.firewall()
    assert check.status == status
    assert said in f"{check.found} {check.fix}"


def test_ufw_state_is_read_from_its_file(tmp_path):
    file = tmp_path / "ufw.conf"
    file.write_text("# ENABLED=yes\nENABLED=no\n")
    assert not network._enabled_in(file)
    file.write_text("LOGLEVEL=low\nENABLED=yes\n")
    assert network._enabled_in(file)
    assert not network._enabled_in(tmp_path / "none")


def test_firewall_of_another_system_is_absent_with_instructions(monkeypatch):
    for platform, said in (("win32", "Windows Security"), ("darwin", "System Settings")):
        monkeypatch.setattr(network, "sys", SimpleNamespace(platform=platform))
        check = network.firewall()
        assert check.status == "absent"
        assert said in check.fix


def test_coarse_or_backward_lsl_clock_is_reported(monkeypatch):
    assert network.lsl_clock().status == "ok"
    ticks = iter(range(10**9))
    monkeypatch.setattr(pylsl, "local_clock", lambda: next(ticks) // 100 * 0.02)
    assert network.lsl_clock().status == "warn"
    ticks = iter([*range(100), 50, *range(100, 10**6)])
    monkeypatch.setattr(pylsl, "local_clock", lambda: float(next(ticks)))
    check = network.lsl_clock()
    assert (check.status, check.found) == ("fail", "went back by 49 s")


# --- the machine


def test_python_version_is_checked(monkeypatch):
    assert machine.python().status == "ok"
    for version in ((3, 10, 14), (3, 14, 0)):
        monkeypatch.setattr(machine, "sys", SimpleNamespace(version_info=version))
        assert machine.python().status == "fail"


def test_missing_or_wrong_packages_fail(monkeypatch):
    wanted = [
        "numpy>=1",
        "numpy>=999",
        "no-such-package-earmark>=3",
        "other>1; extra == 'x'",
        "old; python_version<'3'",
    ]
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: wanted)
    check = machine.packages()
    assert (check.status, check.fix) == ("fail", "pip install 'numpy>=999' 'no-such-package-earmark>=3'")
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: ["numpy>=1"])
    assert machine.packages().status == "ok"
    monkeypatch.setattr(importlib.metadata, "requires", raising(importlib.metadata.PackageNotFoundError("earmark")))
    assert machine.packages().status == "warn"


@pytest.mark.parametrize(("answer", "status"), [(None, "absent"), ("no\n", "warn"), ("yes\n", "ok")])
def test_system_clock_is_synchronised_or_gives_a_warning(monkeypatch, answer, status):
    monkeypatch.setattr(machine, "run_tool", giving(answer))
    assert machine.system_clock().status == status


@linux_only
def test_missing_real_time_priority_gives_a_warning(monkeypatch):
    before = os.sched_getscheduler(0), os.sched_getparam(0)
    assert machine.realtime().status in ("ok", "warn")
    assert (os.sched_getscheduler(0), os.sched_getparam(0)) == before
    monkeypatch.setattr(os, "sched_setscheduler", raising(PermissionError(errno.EPERM, "Operation not permitted")))
    check = machine.realtime()
    assert check.status == "warn"
    assert "limits.d" in check.fix


def test_governor_other_than_performance_gives_a_warning(tmp_path):
    assert machine.governor(tmp_path).status == "absent"
    for core, text in ((0, "performance"), (1, "performance"), (12, "powersave")):
        file = tmp_path / f"cpu{core}/cpufreq/scaling_governor"
        file.parent.mkdir(parents=True)
        file.write_text(text + "\n")
    check = machine.governor(tmp_path)
    assert (check.status, check.found) == ("warn", "performance, powersave")
    file.write_text("performance\n")
    assert machine.governor(tmp_path).status == "ok"


def test_disk_space_and_speed_are_checked(tmp_path, monkeypatch):
    check = machine.disk(tmp_path)
    assert check.status in ("ok", "warn")
    assert str(tmp_path) in check.found
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(shutil, "disk_usage", no_space(2**30))
    assert machine.disk(tmp_path).status == "warn"
    monkeypatch.setattr(shutil, "disk_usage", no_space(2**20))
    assert machine.disk(tmp_path).status == "fail"


def test_missing_folder_fails_the_disk_check(tmp_path):
    check = machine.disk(tmp_path / "gone")
    assert check.status == "fail"
    assert "No such file" in check.found


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_folder_without_permission_fails_the_disk_check(tmp_path):
    tmp_path.chmod(0o500)
    assert "Permission denied" in machine.disk(tmp_path).found


def test_full_disk_fails_the_disk_check(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", raising(OSError(errno.ENOSPC, "No space left on device")))
    check = machine.disk(tmp_path)
    assert check.status == "fail"
    assert "No space left" in check.found


@linux_only
def test_shared_memory_must_suffice_for_a_session(tmp_path, monkeypatch):
    assert machine.shared_memory().status in ("ok", "warn", "fail")
    for free, status in ((256, "ok"), (100, "warn"), (63, "fail")):
        monkeypatch.setattr(machine, "free_bytes", lambda free=free: free * 2**20)
        found = machine.shared_memory()
        assert found.status == status
        assert found.found.startswith(f"{free} MiB free in /dev/shm; a session takes 64 MiB")
        assert ("--shm-size" in found.fix) == (status != "ok")
    monkeypatch.setattr(machine, "free_bytes", lambda: None)
    assert machine.shared_memory().status == "ok"
    for number, words in ((errno.EROFS, "Read-only file system"), (errno.EACCES, "Permission denied")):
        monkeypatch.setattr("earmark.devices.processes.shared_memory._Shared", raising(OSError(number, words)))
        found = machine.shared_memory()
        assert (found.status, words in found.found) == ("fail", True)
        assert "remount,rw" in found.fix


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="named by XDG variables on Linux")
def test_folders_of_cache_and_configuration_must_be_writable(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not/yet"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert machine.folders().status == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file/below"))
    check = machine.folders()
    assert check.status == "fail"
    assert f"{tmp_path / 'file'}" in check.fix


# --- sound, graphics, window

SOUND = {
    "portaudio": "PortAudio V19.6",
    "devices": 2,
    "output": "Card (48000 Hz)",
    "input": None,
    "refuses": None,
}


def test_sound_on_this_machine():
    check = media.sound()
    assert check.status in ("ok", "absent", "warn"), check


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (SOUND, "ok", "output: Card (48000 Hz); input: none"),
        ({**SOUND, "output": None, "devices": 0}, "warn", "cannot be heard here connect a sound card"),
        ({**SOUND, "refuses": "Invalid sample rate"}, "warn", "refuses two channels at 48000 Hz (Invalid sample rate)"),
        ({**SOUND, "refuses": "Invalid sample rate"}, "warn", "set sfreq in [sound]"),
        (
            ProbeError("ended with code 1: OSError: PortAudio library not found"),
            "warn",
            "apt-get install libportaudio2",
        ),
        (ProbeError("ended with code -11: no message"), "fail", "code -11"),
    ],
)
def test_sound_output_is_checked(monkeypatch, answer, status, said):
    monkeypatch.setattr(media, "probe", raising(answer) if isinstance(answer, Exception) else giving(answer))
    check = media.sound()
    assert check.status == status
    assert said in f"{check.found} {check.fix}"


def test_sound_fails_without_sounddevice(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", giving(None))
    assert media.sound().fix == "pip install sounddevice"


@pytest.mark.parametrize("missing", [("slab",), ("soxr", "pyloudnorm"), ("soundfile",)])
def test_sound_fails_without_packages_that_prepare_talkers(monkeypatch, missing):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else object())
    check = media.sound()
    assert check.status == "fail"
    assert check.fix == f"pip install {' '.join(missing)}"
    assert all(name in check.found for name in missing)


@pytest.mark.parametrize(
    ("output", "answer"), [("accepts", None), ("refuses", "Invalid sample rate"), ("none", None), ("missing", None)]
)
def test_sound_probe_reports_the_default_output(tmp_path, monkeypatch, output, answer):
    (tmp_path / "sounddevice.py").write_text(
        f"""
class PortAudioError(Exception): pass
if {output!r} == "missing": raise OSError("PortAudio library not found")
def query_devices(kind=None):
    if kind is None: return [1, 2]
    if {output!r} == "none": raise PortAudioError("no default")
    return {{"name": kind, "default_samplerate": 44100.0}}
def get_portaudio_version(): return 1, "V19,x"
def check_output_settings(channels, dtype, samplerate):
    assert (channels, samplerate) == (2, 48000)
    if {output!r} == "refuses": raise PortAudioError("Invalid sample rate")
"""
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    if output == "missing":
        with pytest.raises(ProbeError, match="PortAudio library not found"):
            probe(media.SOUND_PROBE, timeout=600)
    else:
        found = probe(media.SOUND_PROBE, timeout=600)
        assert found["refuses"] == answer
        assert found["output"] == (None if output == "none" else "output (44100 Hz)")


@pytest.mark.parametrize(
    ("cards", "answer", "status", "said"),
    [
        (None, {"torch": "2.13.0", "cuda": None, "names": []}, "absent", "on the CPU"),
        ("RTX, 570\n", {"torch": "2.13.0", "cuda": "13.0", "names": ["RTX"]}, "ok", "RTX; torch 2.13.0, CUDA 13.0"),
        ("RTX, 570\n", {"torch": "2.13.0+cpu", "cuda": None, "names": []}, "warn", "build for CUDA"),
        ("RTX, 570\n", {"torch": "2.13.0", "cuda": "13.0", "names": []}, "warn", "update the NVIDIA driver"),
        (None, ProbeError("ended with code 1: ModuleNotFoundError: torch"), "fail", "ModuleNotFoundError"),
    ],
)
def test_gpu_must_be_usable_by_torch(monkeypatch, cards, answer, status, said):
    monkeypatch.setattr(media, "run_tool", giving(cards))
    monkeypatch.setattr(media, "probe", raising(answer) if isinstance(answer, Exception) else giving(answer))
    check = media.gpu()
    assert check.status == status
    assert said in f"{check.found} {check.fix}"


@pytest.mark.parametrize(("torch", "status"), [("2.13.1+cu130", "ok"), ("2.11.0", "warn")])
def test_torch_tensorrt_needs_the_same_version_of_torch(monkeypatch, torch, status):
    versions = {"torch-tensorrt-rtx": "2.13.0", "torch": torch}
    monkeypatch.setattr(media, "library", giving(Check("Torch-TensorRT", "ok", "torch-tensorrt-rtx 2.13.0")))
    monkeypatch.setattr(importlib.metadata, "version", lambda name: versions[name])
    assert media.torch_tensorrt().status == status


def versions_of(pyside):
    def version(name):
        if pyside is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return pyside if name == "PySide6-Essentials" else "0.14.0"

    return version


@pytest.mark.parametrize(
    ("pyside", "python", "status"),
    [
        (None, (3, 11), "absent"),
        ("6.11.3", (3, 11), "ok"),
        ("6.12.0", (3, 11), "fail"),
        ("6.13.1", (3, 11), "fail"),
        ("6.12.0", (3, 12), "ok"),
    ],
)
def test_qt_that_crashes_under_python_3_11_fails(monkeypatch, pyside, python, status):
    monkeypatch.setattr(media, "sys", SimpleNamespace(version_info=python))
    monkeypatch.setattr(importlib.metadata, "version", versions_of(pyside))
    check = media.qt()
    assert check.status == status
    assert (">=6.11,<6.12" in check.fix) == (status == "fail")


@linux_only
def test_missing_qt_libraries_are_reported(monkeypatch):
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None if name == "EGL" else f"lib{name}.so")
    for installed, status in ((None, "absent"), (object(), "warn")):
        monkeypatch.setattr(importlib.util, "find_spec", giving(installed))
        check = media.qt_libraries()
        assert check.status == status
        assert check.fix.endswith("apt-get install libegl1")
    monkeypatch.setattr("ctypes.util.find_library", lambda name: f"lib{name}.so")
    assert media.qt_libraries().status == "ok"


@linux_only
def test_display_is_found_by_its_variables(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setenv("WAYLAND_DISPLAY", "")
    assert media.display().status == "absent"
    monkeypatch.setenv("DISPLAY", ":7")
    assert media.display().found == "DISPLAY=:7"
