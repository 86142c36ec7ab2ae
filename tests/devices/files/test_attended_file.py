"""Read tables of attended talkers as editors and spreadsheets write them."""

import re

import pytest

from earmark.devices.files.attended_file import read_attended
from earmark.devices.files.recorded_run import RunError

WANTED = [(0.0, "a"), (10.5, "b"), (20.0, "")]


@pytest.mark.parametrize(
    "raw",
    [
        b"0,a\n10.5,b\n20,\n",
        b"\xef\xbb\xbf0,a\r\n10.5,b\r\n20,\r\n",
        b"0,a\n10.5,b\n\n20,\n\n  \n",
        b"0;a\n10,5;b\n20;\n;;\n",
        b"0;a\n10.5;b\n20;",
        b"0\ta\n10,5\tb\n20\t\n",
        b'seconds,name\n0,"a"\n10.5," b "\n20,""\n',
        b"Onset (s);Talker\n0;a\n10,5;b\n20;\n",
        b"0,a,,\n10.5,b,,\n20,,,\n,,,\n",
        "0;a\r\n10,5;b\r\n20;\r\n".encode("utf-16"),
    ],
)
def test_equivalent_tables_read_the_same(tmp_path, raw):
    (tmp_path / "x.csv").write_bytes(raw)
    assert read_attended(tmp_path / "x.csv") == WANTED


def test_names_in_other_encodings_are_read(tmp_path):
    for encoding in ("utf-8", "cp1252", "utf-16"):
        (tmp_path / "x.csv").write_bytes("0,Jürgen, der 2.\n".replace(", d", " d").encode(encoding))
        assert read_attended(tmp_path / "x.csv") == [(0.0, "Jürgen der 2.")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0,a\n1,5,b\n", "line 2 is '1,5,b', but must be SECONDS,NAME"),
        ("0,a\nsoon,b\n", "line 2 is 'soon,b'"),
        ("0;a\nsoon;b\n", "line 2 is 'soon;b', but must be SECONDS;NAME"),
        ("0,a\n5\n", "line 2 is '5'"),
        ("nan,a\n", "line 1 is 'nan,a'"),
        ("0,a\n\ninf,b\n", "line 3 is 'inf,b'"),
        ("a,0\n", "line 1 is 'a,0'"),
        ("", "has no line SECONDS,NAME"),
        ("seconds,name\n", "has no line SECONDS,NAME"),
    ],
)
def test_invalid_lines_are_refused_by_number(tmp_path, text, said):
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(RunError, match=re.escape(said)):
        read_attended(tmp_path / "x.csv")


def test_unreadable_file_is_refused(tmp_path):
    with pytest.raises(RunError, match="no such file"):
        read_attended(tmp_path / "x.csv")
    with pytest.raises(RunError, match="cannot be read: it is a folder"):
        read_attended(tmp_path)
