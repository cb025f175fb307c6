"""What people type and paste: read as it is meant, or refused with the number of the line."""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from elixer_widgets import cli, open_release
from elixer_widgets._files import check_writable, named_file, named_path
from elixer_widgets.cli_lists import read_detections
from elixer_widgets.cli_positions import read_places, right_ascension
from elixer_widgets.cli_streams import Voice
from elixer_widgets.detection import DataError

RA, DEC = 15 * (10 + 6.1 / 3600), 2 + 5 / 60 + 15 / 3600

ODD = ["", "a\0b", "~nobody_of_this_name/x", "x" * 5000, "y/" * 3000, "\udce9", "a\nb", "~", ".", "/proc/self/mem/x"]


def _write(path: Path, content: str | bytes) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


# ---------------------------------------------------------------------------------------------------- positions


@pytest.mark.parametrize(
    "line",
    [
        "10 00 06.1 +02 05 15", "10:00:06.1 +02:05:15", "10h00m06.1s 2d05m15s", "10h 00m 06.1s +02d 05m 15s",
        '"10 00 06.1","+02 05 15"', "10 00 06.1, +02 05 15", "10:00:06.1\t2:05:15", "10 00 06.1;2 05 15",
        "\ufeff10:00:06.1 2:05:15\r\n", "10ʰ00ᵐ06.1ˢ +02°05′15″", "10 00 06.1\xa0+02 05 15",
        "# mine\n\n10:00:06.1 2:05:15 # a",
        "ra,dec\n10:00:06.1,2:05:15", "detectid;dec;ra\n7;2 05 15;10 00 06.1", '"10:00:06.1" "2:05:15"',
        "150.02541667 2.0875", "150,02541667;2,0875", "1.5002541667e+02 2.0875e+00", "150d01m31.5s 2.0875",
    ],
)  # fmt: skip
def test_a_position_is_read_in_every_form(tmp_path: Path, line: str) -> None:
    (place,) = read_places(_write(tmp_path / "places", line))
    assert (place.ra, place.dec) == (pytest.approx(RA, abs=1e-7), pytest.approx(DEC, abs=1e-7))
    for wide in ("utf-16", "utf-16-le", "utf-32"):
        assert read_places(_write(tmp_path / "places", line.lstrip("\ufeff").encode(wide))) == [place]


def test_a_negative_zero_keeps_its_sign(tmp_path: Path) -> None:
    (place,) = read_places(_write(tmp_path / "places", "00 00 01 −00 05 15 20230115007 4500.5"))
    assert place.dec == pytest.approx(-(5 / 60 + 15 / 3600)) and place.ra == pytest.approx(15 / 3600)
    assert (place.shotid, place.wavelength) == (20230115007, 4500.5)


@pytest.mark.parametrize(
    "line",
    [
        "10 60 06.1 2 05 15", "10 00 61 2 05 15", "24:00:01 2", "10:00:06.1 91", "10 00 2 05", "150.1", "150.1 2 7",
        "150,02 2,08", "150,7 0,0", "10h00m06.1s 2h05m15s", "10.5:30:00 2:0:0", "nan 2", "inf 2", "١٥٠ ٢", "0x10 2",
        "1_0 2", "150.1 2.1 4500 4600", "J100006.1+020515", "-10 00 06.1 2 05 15", "150.1 2.1 a", "150.1 2¹",
    ],
)  # fmt: skip
def test_anything_else_is_refused_by_the_number_of_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match=r"places, line 3: .* is no position"):
        read_places(_write(tmp_path / "places", f"# a comment\n150.5 2.5\n{line}\n"))


def test_three_parts_on_the_command_line() -> None:
    assert right_ascension("10 00 06.1") == pytest.approx(RA)
    for wrong in ("10 00", "10 0 0 0", "ten", "10:61:00", ""):
        with pytest.raises(argparse.ArgumentTypeError, match="is not an angle"):
            right_ascension(wrong)


# -------------------------------------------------------------------------------------------------------- lists


@pytest.mark.parametrize(
    "content",
    [
        "\ufeff5000000001\r\n5000000002\r\n", "5000000001\r5000000002", '"5000000001"\n"5000000002"',
        "5000000001,5000000002",
        "detectid\n5000000001\n5000000002", "detectid,ra\n5000000001,150.1\n5000000002,150.2",
        "ra;detectid\n150,1;5000000001\n150,2;5000000002", "5000000001\t150.1\n5000000002\t150.2",
        "5000000001.0\n5000000002.0",
        "5000000001\xa0\n 5000000002 # b\n\n", "5000000001 20230115007\n5000000002 20230115008",
        "5000000001;5000000002;",
    ],
)  # fmt: skip
def test_a_list_of_any_program_is_read(tmp_path: Path, content: str) -> None:
    assert read_detections(_write(tmp_path / "list", content)) == [5000000001, 5000000002]
    assert read_detections(_write(tmp_path / "list", content.lstrip("\ufeff").encode("utf-16"))) == [
        5000000001,
        5000000002,
    ]


@pytest.mark.parametrize(
    "word",
    [
        "5000000001¹", "٥٠٠٠٠٠٠٠٠١", "1e9", "5.0E+09", "+5", "-5", "0", "0x10", "1_000", "12345678901234567890",
        "9223372036854775808", "5000000001.5", "abc", "5000000003 5000000004", "5000000003,150.1",
    ],
)  # fmt: skip
def test_a_number_that_is_none_is_refused_by_its_line(tmp_path: Path, word: str) -> None:
    with pytest.raises(DataError, match=r"list: .* is not a detection number \(line 3\)"):
        read_detections(_write(tmp_path / "list", f"5000000001\n\n{word}\n"))


@pytest.mark.parametrize("content", [b"PK\x03\x04rest", b"\x89HDF\r\n", b"\x1f\x8b\x08", b"\0\1\2\0\0\3"])
def test_what_is_no_text_is_named(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"list: is (an? |compressed|not a text)"):
        read_detections(_write(tmp_path / "list", content))


def test_a_list_longer_than_a_name_may_be() -> None:
    """The guide's own form; 24 numbers and commas are more than 255 characters, and 2,000 more than 4,096."""
    for count in (24, 2000):
        numbers = [2000000318 + each for each in range(count)]
        assert read_detections(",".join(map(str, numbers))) == numbers


# -------------------------------------------------------------------------------------------------------- paths


@pytest.mark.parametrize("odd", ODD)
def test_no_value_is_too_odd_for_a_path(odd: str) -> None:
    """A file, or not, and never an exception; a path, or a sentence."""
    assert named_file(odd) is None
    for refusing in (named_path, open_release, read_places, read_detections):
        try:
            refusing(odd)
        except DataError as error:
            assert len(str(error)) < 600 and "\0" not in str(error)


@pytest.mark.parametrize("odd", [each for each in ODD if each not in ("~", ".")])
def test_no_command_ends_with_a_traceback_for_an_odd_value(
    odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = ["run", "--release", "gone", "--dets", "1", "--name", "o"]
    commands = [
        [*run, "--dets", odd], [*run, "--name", odd], [*run, "--release", odd],
        [*run[:3], "--coords", odd, "--name", "o"],
        [*run, "--surveys", odd], ["merge", odd], ["merge", "gone", "-o", odd], ["database", odd],
    ]  # fmt: skip
    for words in commands:
        assert cli.main(words) == 2
        assert capsys.readouterr().err.startswith("elixer-widgets: ")
    assert cli.elixer(["--merge_unique", f"{odd},gone.h5"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_is_said_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (Path("/proc/abc"), tmp_path / "file", tmp_path / "file" / "o", tmp_path / ("n" * 300)):
        with pytest.raises(DataError, match="give another folder"):
            check_writable(folder)
    check_writable(tmp_path / "new" / "below")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["/proc/abc", "file", "file/o", "n" * 300])
def test_a_run_there_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    assert cli.elixer(["--dets", "1", "--hdr", "gone", "--name", name]) == 2
    said = capsys.readouterr().err
    assert name[:100] in said and "gone" not in said


# ---------------------------------------------------------------------------------------------------- terminals


@pytest.mark.parametrize("words", [[], ["run"], ["explore"], ["merge"], ["simulate"], ["database"], ["serve"]])
def test_help_is_printed_in_ascii(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    terminal = io.TextIOWrapper(content, encoding="ascii", write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        with pytest.raises(SystemExit) as ended:
            cli.main([*words, "--help"])
        assert ended.value.code == 0
    assert content.getvalue().startswith(b"usage: elixer-widgets")


@pytest.mark.parametrize("command", [cli.elixer, cli.selixer])
def test_the_guides_help_is_printed_in_ascii(command: object, monkeypatch: pytest.MonkeyPatch) -> None:
    content = io.BytesIO()
    terminal = io.TextIOWrapper(content, encoding="ascii", write_through=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        with pytest.raises(SystemExit):
            command(["--help"])  # type: ignore[operator]
    assert b"--delta_wave A" in content.getvalue()


def test_a_stream_that_is_gone_ends_nothing() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None:
            raise BrokenPipeError

    voice = Voice(Gone())
    assert voice.write("Lyα") == 3
    voice.flush()


@pytest.mark.parametrize(
    "shell", ["--help | head -n 1", "merge gone.h5 2>&- >&-", "--help >&-", "merge gone.h5 2>/dev/full"]
)
def test_a_pipe_that_nobody_reads_and_streams_that_are_closed(shell: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys\nfrom elixer_widgets.cli import main\nsys.exit(main())\n")
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "LANG": "C"}
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", f"{sys.executable} {program} {shell}"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == (2 if "merge" in shell else 0), done.stderr
    assert done.stderr == ""
