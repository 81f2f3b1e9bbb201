"""Many photos by one command, damaged ones among them; what stops it in the middle leaves whole pictures."""

import errno
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from brushnet import cli, images
from tests.soak.photos import DAMAGES, encoded, write_photos
from tests.soak.watch import growth, needs_proc, slow_down, told, watch


def names(folder: Path) -> set[str]:
    """Every file below, hidden ones too, but for its suffix."""
    return {path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*") if not path.is_dir()}


def listed(text: str) -> list[str]:
    """The photos that the end of standard error names, below the input folder."""
    lines = text.splitlines()
    start = max(number for number, line in enumerate(lines) if re.fullmatch(r"\d+ failed:", line))
    failed = [re.findall(r"part \d\d/\d{5}[a-z ]*\.[a-z]+", line) for line in lines[start + 1 : -1]]
    assert lines[start] == f"{len(failed)} failed:"
    assert lines[-1].endswith(f" written; {len(failed)} failed, see above")
    return [path for (path,) in failed]  # each line names one, once


def write_odd_but_good(folder: Path) -> set[str]:
    """What must neither fail nor be waited for; the names of what is to be painted."""
    folder.mkdir(parents=True)
    os.mkfifo(folder / "pipe.jpg")
    (folder / "folder.jpg").mkdir()
    (folder / "notes.txt").write_text("no picture by its name")
    for name in (
        f"{'long' * 62}.jpg",
        "line\nbreak.jpg",
        "a\udcff.jpg",
        "UPPER.JPG",
        "two.dots.jpg",
        "folder.jpg/in it.png",
    ):
        (folder / name).write_bytes(encoded(1, "PNG"))  # the content decides how it is read
    (folder / "link.jpg").symlink_to("UPPER.JPG")  # the same photo
    return names(folder) - {"pipe", "notes", "link"}


def test_exactly_the_damaged_ones_of_many_photos_are_listed_and_all_others_painted(tmp_path, model_file, capsys):
    good, bad = write_photos(tmp_path / "photos", 60, damaged=len(DAMAGES))
    odd = write_odd_but_good(tmp_path / "photos" / "odd")
    assert cli.main(["stylize", str(model_file), str(tmp_path / "photos"), "-o", str(tmp_path / "out")]) == 1
    assert listed(capsys.readouterr().err) == [path.relative_to(tmp_path / "photos").as_posix() for path in bad]
    wanted = {path.relative_to(tmp_path / "photos").with_suffix("").as_posix() for path in good}
    assert names(tmp_path / "out") == wanted | {f"odd/{name}" for name in odd}


@pytest.fixture
def ends_at_the_tenth(monkeypatch):
    """ends_at_the_tenth(error): half of the tenth picture is on the disk when it comes."""
    replace, written = os.replace, []

    def end(error: BaseException) -> None:
        def replace_or_end(source: Path, target: Path) -> None:
            written.append(target)
            if len(written) == 10:
                os.truncate(source, source.stat().st_size // 2)
                raise error
            replace(source, target)

        monkeypatch.setattr(os, "replace", replace_or_end)

    return end


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (KeyboardInterrupt(), 3, "brushnet: stopped"),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "brushnet: error: cannot write "),
    ],
)
def test_what_ends_it_early_leaves_whole_pictures_and_a_report(
    tmp_path, model_file, capsys, monkeypatch, ends_at_the_tenth, error, code, said
):
    _, bad = write_photos(tmp_path / "photos", 24, damaged=4)
    monkeypatch.setattr("brushnet.commands.progress.PLAIN_EVERY_S", 0)
    ends_at_the_tenth(error)
    arguments = ["stylize", str(model_file), str(tmp_path / "photos"), "-o", str(tmp_path / "out"), "--jobs", "1"]
    assert cli.main(arguments) == code
    *report, last = capsys.readouterr().err.splitlines()
    assert last.startswith(said)
    assert any(re.search(r"^11/24 pictures, \S+/s, .* left  2 failed, \S*/photos/part 00/", line) for line in report)
    assert listed("\n".join(report)) == [path.relative_to(tmp_path / "photos").as_posix() for path in bad[:2]]
    assert report[-1].startswith("9 pictures written; ")
    painted = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(painted) == 9
    for path in painted:
        images.read(path)


@pytest.fixture
def stylize(tmp_path, model_file):
    """Starts the command on `photos`, in a process of its own; what it says goes into the file `said`."""
    with (tmp_path / "said").open("w") as said:
        yield lambda: subprocess.Popen(
            [sys.executable, "-m", "brushnet", "stylize", str(model_file), "photos", "-o", "out"],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stderr=said,
        )


def painted(out: Path) -> list[Path]:
    return [Path(folder, name) for folder, _, found in os.walk(out) for name in found if not name.startswith(".")]


@needs_proc
@pytest.mark.slow
def test_10000_photos_take_no_more_memory_than_the_first_and_no_longer(tmp_path, stylize):
    good, bad = write_photos(tmp_path / "photos", 10_000, damaged=100)
    process = stylize()

    def done() -> int:
        count = len(painted(tmp_path / "out"))
        if count > 100:
            good[-1].unlink(missing_ok=True)  # between planning and painting
        return count

    samples = watch(process, done, every_seconds=0.5)
    print(told(samples))
    assert process.returncode == 1
    assert listed((tmp_path / "said").read_text()) == sorted(
        path.relative_to(tmp_path / "photos").as_posix() for path in [*bad, good[-1]]
    )
    assert len(painted(tmp_path / "out")) == 9_899
    # The report's 10,000 paths are 2 MB; a leak of one photo of 64 x 48 px in ten would be 35 MB.
    assert growth(samples, "megabytes") < 10
    assert growth(samples, "descriptors") < 1
    assert growth(samples, "threads") < 0.5
    assert slow_down(samples) < 1.5


@pytest.mark.slow
def test_ctrl_c_among_many_photos_leaves_whole_pictures(tmp_path, stylize):
    write_photos(tmp_path / "photos", 3_000, damaged=30)
    process = stylize()
    while len(painted(tmp_path / "out")) < 300:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 3
    found = painted(tmp_path / "out")
    assert 300 <= len(found) < 2_970
    for path in found:
        images.read(path)
    assert not list((tmp_path / "out").rglob(".*"))
    *report, last = (tmp_path / "said").read_text().splitlines()
    assert last == "brushnet: stopped; the same command goes on with what is left"
    assert len(listed("\n".join(report))) >= 2
    assert report[-1].startswith(f"{len(found)} pictures written; ")
