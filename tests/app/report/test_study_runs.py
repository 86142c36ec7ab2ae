"""A study: runs and listeners are found, figures are those of an independent count, and nothing is shown stale."""

import csv
import html
import json
import re
import shutil

import numpy as np
import pytest
import typer
from scipy.stats import binom

from benchmarks.sessions import write_session
from earmark.app.commands.study import study
from earmark.app.commands.train import train
from earmark.app.config.toml_file import ConfigError
from earmark.app.replay.verify import Replay
from earmark.app.report import kept
from earmark.app.report.exclusions import EXCLUDED
from earmark.app.report.study import ALARM, excluded, find_runs, measured
from earmark.devices.files.corpus import InProcess
from earmark.devices.files.journal import About
from earmark.devices.files.session_file import SessionFile
from earmark.devices.files.session_run import read_cues
from earmark.devices.files.subjects import whose
from earmark.pipeline.stream import Decision

TRIALS = (("Joe", 14.0), ("Ada", 12.0))
WINDOW_S, HOP_S = 2.0, 0.5


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Write a study of five listeners: complete runs, one cut, one empty, one that is not XDF, one session without."""
    root = tmp_path_factory.mktemp("study")
    calibration = write_session(root / "dora" / "calibration-1.xdf", (("Joe", 12.0), ("Ada", 12.0), ("Joe", 12.0)))
    train([calibration], root.parent / "decoder")
    for k, (name, end) in enumerate([("run-1", True), ("run-2", False), ("run-10", True)]):
        write_session(root / "alice" / name / "loop.xdf", TRIALS, 3 + k, end=end, decoder=root.parent / "decoder")
    bob = root / "bob" / "ses-01"
    write_session(bob / "run-1" / "loop.xdf", TRIALS, 7, decoder=root.parent / "decoder")
    lines = [(1001.5, "note: sits up"), (1002.0, "answer:effort: little"), (1003.0, f"{ALARM}3 of 60 were late")]
    (bob / "run-1" / "loop.events.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (bob / "run-2").mkdir()
    (root / "eve" / "run-1").mkdir(parents=True)
    (root / "eve" / "run-1" / "loop.xdf").write_bytes(b"no XDF")
    study(root)
    return root


@pytest.fixture
def root(made, tmp_path):
    """Return a copy of the study, whose figures are kept beside the runs."""
    return shutil.copytree(made, tmp_path / "study")


def forget(root):
    """Delete the figures that are kept."""
    kept_files = list(root.rglob("loop.figures.json"))
    assert len(kept_files) == 4
    for path in kept_files:
        path.unlink()


def shown(root, tmp_path, **options):
    study(root, json_file=tmp_path / "study.json", **options)
    return json.loads((tmp_path / "study.json").read_text())


def counted(recording):
    """Figures of a run by plain loops over its decisions and cues."""
    decisions = []
    Replay(SessionFile(recording)).run(lambda _, item: decisions.append(item) if isinstance(item, Decision) else None)
    cues = read_cues(SessionFile(recording), "cues")
    right, last = [], -np.inf
    for one in decisions:
        before = [cue for cue in cues if cue[0] <= one.newest_time]
        if not before or not before[-1][1] or not np.isfinite(one.scores).all():
            continue
        if one.newest_time - WINDOW_S < before[-1][0] + 2.0 or one.newest_time < last + WINDOW_S - HOP_S / 2:
            continue
        last = one.newest_time
        right.append(("Joe", "Ada")[int(np.argmax(one.scores))] == before[-1][1])
    return len(right), sum(right)


def limit(n):
    """Smallest share of n that guessing between two reaches with at most p = 0.05."""
    return next(k for k in range(n + 1) if binom.sf(k - 1, n, 0.5) <= 0.05) / n


def test_figures_equal_an_independent_count(root, tmp_path, capsys):
    found = shown(root, tmp_path)
    rows = {one["path"]: one for one in found["runs"]}
    assert list(rows) == [
        *("alice/run-1", "alice/run-2", "alice/run-10"),
        *("bob/ses-01/run-1", "bob/ses-01/run-2", "dora", "eve/run-1"),
    ]
    assert [one["participant"] for one in found["runs"]] == ["alice"] * 3 + ["bob"] * 2 + ["dora", "eve"]
    assert (rows["bob/ses-01/run-1"]["session"], rows["bob/ses-01/run-1"]["run"]) == ("bob/ses-01", "run-1")
    counts = {}
    for path, row in rows.items():
        if row["status"] in ("used", "cut"):
            n, right = counts[path] = counted(root / path / "loop.xdf")
            assert (row["windows"], row["right"], row["accuracy"]) == (n, right, right / n)
            assert row["chance_limit"] == pytest.approx(limit(n))
            assert (row["switches"], row["n_electrodes"]) == (1, 4)
    assert len(counts) == 4
    alice, bob = found["participants"]
    n, right = (sum(count[k] for path, count in counts.items() if path.startswith("alice")) for k in (0, 1))
    assert (alice["participant"], alice["runs"], alice["windows"], alice["right"]) == ("alice", 3, n, right)
    assert alice["chance_limit"] == pytest.approx(limit(n)) != rows["alice/run-1"]["chance_limit"]
    tmr = [rows[path]["tmr_db"] for path in counts if path.startswith("alice")]
    assert alice["tmr_db"] == pytest.approx(np.mean(tmr))
    assert (bob["participant"], bob["windows"]) == ("bob", counts["bob/ses-01/run-1"][0])
    assert rows["bob/ses-01/run-1"]["answers"] == ["answer:effort: little"]
    assert rows["bob/ses-01/run-1"]["notes"] == ["note: sits up"]
    assert rows["bob/ses-01/run-1"]["alarms"] == ["ALARM: 3 of 60 were late"]
    assert "bob/ses-01/run-1: note: sits up" in capsys.readouterr().out


def test_runs_that_are_cut_empty_or_unreadable_are_listed_with_the_reason(root, tmp_path, capsys):
    rows = {one["path"]: one for one in shown(root, tmp_path)["runs"]}
    reasons = {
        "alice/run-2": ("cut", "cut short"),
        "bob/ses-01/run-2": ("unusable", "empty: the folder has no loop.xdf"),
        "dora": ("unusable", "no run was recorded"),
        "eve/run-1": ("unusable", "XDF"),
    }
    out = capsys.readouterr().out
    for path, (status, words) in reasons.items():
        assert rows[path]["status"] == status
        assert words in rows[path]["reason"]
        assert f"{path}: {rows[path]['reason']}" in out
    assert "4 participants, 4 sessions, 6 runs: 3 used, 1 cut, 0 excluded, 3 unusable" in out
    for path in ("alice/run-1", "alice/run-10", "bob/ses-01/run-1"):
        assert (rows[path]["status"], rows[path]["reason"]) == ("used", "")


def test_csv_has_the_same_figures(root, tmp_path):
    found = shown(root, tmp_path, csv_file=tmp_path / "study.csv")
    with (tmp_path / "study.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [one["path"] for one in found["runs"]]
    for row, one in zip(rows, found["runs"], strict=True):
        assert row["right"] == ("" if one["right"] is None else str(one["right"]))
        assert row["tmr_db"] == ("" if one["tmr_db"] is None else repr(one["tmr_db"]))


def test_page_draws_each_participant_as_a_point_and_lists_every_run(root, tmp_path):
    (root / EXCLUDED).write_text('"alice/run-10" = "<fell> asleep"')
    found = shown(root, tmp_path, html=tmp_path / "study.html", subject=[f"<Bob>={root / 'bob'}"])
    page = (tmp_path / "study.html").read_text(encoding="utf-8")
    people = found["participants"]
    assert [one["participant"] for one in people] == ["<Bob>", "alice"]
    points = re.findall(r'<circle class="spot" cx="([\d.]+)" cy="([\d.]+)" r="[\d.]+"><title>([^<]*)<', page)
    ticks = re.findall(r'<text x="[\d.]+" y="([\d.]+)" text-anchor="end">(\d+) %<', page)
    shares, heights = [int(share) / 100 for _, share in ticks], [float(y) - 4 for y, _ in ticks]
    columns = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="[\d.]+" text-anchor="middle">\d+<', page)]
    assert len(points) == len(people) == 2
    for (x, y, tip), column, one in zip(points, columns, people, strict=True):
        assert float(x) == column
        assert float(y) == pytest.approx(np.interp(one["accuracy"], shares, heights), abs=0.02)
        assert html.unescape(tip).startswith(f"{one['participant']}: ")
        assert f"{one['accuracy']!r}" in page
    limits = re.findall(r'<polyline class="limit" points="[\d.]+,([\d.]+) [\d.]+,([\d.]+)"/>', page)[:2]
    for (left, right), one in zip(limits, people, strict=True):
        assert left == right
        assert float(left) == pytest.approx(np.interp(one["chance_limit"], shares, heights), abs=0.02)
    for row in found["runs"]:
        assert f'<th scope="row">{row["path"]}</th>' in page
        assert html.escape(row["reason"]) in page
    assert "2 of 2 participants are better than guessing" in page
    assert "ALARM: 3 of 60 were late" in page
    assert not re.search(r"<script|<fell>|<Bob>|(src|href)=", page)


def test_excluded_runs_are_not_counted_and_the_reason_is_shown(root, tmp_path, capsys):
    (root / EXCLUDED).write_text('"alice/run-1" = "fell asleep"\n"bob" = "hearing aid"\n')
    found = shown(root, tmp_path)
    rows = {one["path"]: one for one in found["runs"]}
    assert (rows["alice/run-1"]["status"], rows["alice/run-1"]["reason"]) == ("excluded", "fell asleep")
    assert rows["bob/ses-01/run-1"]["status"] == "excluded"
    assert [(one["participant"], one["runs"]) for one in found["participants"]] == [("alice", 2)]
    assert "alice/run-1: excluded: fell asleep" in capsys.readouterr().out
    inside = {path.name for path in (root / "alice" / "run-1").iterdir()}
    assert inside == {"loop.xdf", "loop.decoder", "loop.figures.json"}, "a study writes nothing else"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('"alice/run-11" = "x"', "there is no run at 'alice/run-11'"),
        ('"alice/run-1" = ""', "'alice/run-1' needs a reason"),
        ('alice.run-1 = "x"', "'alice' needs a reason"),
        ("alice/run-1", "is not valid TOML"),
    ],
)
def test_mistakes_in_the_file_of_exclusions_are_errors(root, text, words):
    (root / EXCLUDED).write_text(text)
    with pytest.raises(ConfigError, match=words):
        excluded(root, find_runs(root))


def test_recording_or_user_names_the_listener(root, tmp_path):
    write_session(root / "x" / "run-1" / "loop.xdf", about=About("", subject="carol"))
    write_session(root / "y" / "ses-01" / "run-1" / "loop.xdf", about=About("", subject="ses-01"))
    found = {run.path: run.participant for run in find_runs(root, lambda path: "zoe" if "bob" in path.parts else "")}
    assert found["x/run-1"] == "carol"
    assert found["y/ses-01/run-1"] == "y", "older versions stated the name of the session folder"
    assert found["bob/ses-01/run-1"] == found["bob/ses-01/run-2"] == "zoe"


def test_session_file_in_a_folder_that_is_named_like_a_part_names_no_listener(tmp_path):
    (tmp_path / "alice" / "ses-01").mkdir(parents=True)
    (tmp_path / "alice" / "ses-01" / "session.toml").touch()
    assert whose(tmp_path / "alice" / "ses-01" / "run-1" / "loop.xdf") == ("alice", "ses-01/run-1/loop")


def test_copy_of_a_run_counts_once(root, tmp_path):
    shutil.copytree(root / "alice" / "run-1", root / "fay" / "run-1")
    (root / "link").symlink_to(root / "alice")
    rows = {one["path"]: one for one in shown(root, tmp_path)["runs"]}
    assert rows["fay/run-1"]["reason"] == "it is the same recording as alice/run-1"
    assert not any(path.startswith("link") for path in rows)


def test_figures_are_kept_until_recording_or_rules_change(root, tmp_path, monkeypatch):
    computed = []

    def session_figures(recording):
        computed.append(recording.parent.relative_to(root).as_posix())
        return original(recording)

    original = kept.session_figures
    monkeypatch.setattr(kept, "session_figures", session_figures)
    forget(root)
    usable = ["alice/run-1", "alice/run-2", "alice/run-10", "bob/ses-01/run-1"]
    cold = shown(root, tmp_path)
    assert computed == usable
    computed.clear()
    assert shown(root, tmp_path) == cold
    assert computed == []
    with (root / "bob/ses-01/run-1/loop.events.jsonl").open("a") as file:
        file.write('[1004.0, "note: again"]\n')
    changed = shown(root, tmp_path)
    assert computed == ["bob/ses-01/run-1"]
    assert {one["path"]: one for one in changed["runs"]}["bob/ses-01/run-1"]["notes"][-1] == "note: again"
    computed.clear()
    monkeypatch.setattr(kept, "rules", lambda: "others")
    assert shown(root, tmp_path) == changed
    assert computed == usable


@pytest.mark.parametrize("spoil", [lambda text: text.replace('"right": ', '"right": 1'), lambda text: text[:-9]])
def test_kept_figures_that_were_changed_or_damaged_are_not_shown(root, tmp_path, spoil):
    (root / "alice" / "run-2" / "loop.xdf").unlink()
    good = shown(root, tmp_path)
    file = kept.kept_file(root / "alice" / "run-1" / "loop.xdf")
    file.write_text(spoil(text := file.read_text()))
    assert file.read_text() != text
    assert shown(root, tmp_path) == good
    assert file.read_text() == text, "repaired"


def test_figures_that_cannot_be_kept_are_shown(root, tmp_path):
    forget(root)
    for path in ("alice/run-1", "alice/run-2", "alice/run-10", "bob/ses-01/run-1"):
        kept.kept_file(root / path / "loop.xdf").mkdir()
    found = shown(root, tmp_path)
    assert [one["status"] for one in found["runs"]][:3] == ["used", "cut", "used"]


def test_processes_find_the_same(root, tmp_path):
    alone = shown(root, tmp_path)
    forget(root)
    assert shown(root, tmp_path, workers=2) == alone
    assert len(list(root.rglob("loop.figures.json"))) == 4


def test_kept_figures_need_no_other_process(root, tmp_path):
    class Asked:
        folders = ()

        def run(self, work, runs, folds, progress):
            self.folders = tuple(runs)
            return InProcess().run(work, runs, folds, progress)

    asked, told = Asked(), []
    alone = shown(root, tmp_path)
    kept.kept_file(root / "alice" / "run-2" / "loop.xdf").unlink()
    found = measured(find_runs(root), asked, lambda done, of: told.append((done, of)))
    assert asked.folders == (root / "alice" / "run-2", root / "bob" / "ses-01" / "run-2", root / "eve" / "run-1")
    assert told == [(3, 6), (4, 6), (5, 6), (6, 6)]
    assert [{"path": run.path, **run.row()} for run in found] == alone["runs"]


def test_study_without_a_usable_run_fails_and_shows_why(root, tmp_path, capsys):
    with pytest.raises(typer.Exit) as ended:
        shown(root / "eve", tmp_path)
    assert ended.value.exit_code == 1
    assert "run-1: " in capsys.readouterr().out
    with pytest.raises(typer.Exit):
        study(tmp_path / "nowhere")
    assert "no such folder" in capsys.readouterr().err
    (tmp_path / "nothing").mkdir()
    with pytest.raises(typer.Exit):
        study(tmp_path / "nothing")
    assert "contains no session and no run" in capsys.readouterr().err
