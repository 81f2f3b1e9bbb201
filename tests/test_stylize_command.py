"""`brushnet stylize` as it is typed: stopped and gone on with, through pipes, several pictures in hand, full disks."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from brushnet import cli, images, models, seeds
from brushnet.models import ModelMeta
from brushnet.nets import ResidualTransformer
from tests.inference.video.clips import read_clip, write_clip

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    with seeds.torch_seeded(1, "command model"):
        net = ResidualTransformer(width=8, blocks=1, stroke_embedding=8).eval()
        torch.nn.init.normal_(net.condition.affine.weight, std=0.3)
    meta = ModelMeta.of(net, stroke_mode="conditioned", stroke_min=0.5, stroke_max=2.0, reference_px=256,
                        style_names=["painting"])  # fmt: skip
    models.save(tmp_path / "model.safetensors", net, meta)
    return tmp_path / "model.safetensors"


def photos(folder: Path, count: int, px: int = 60) -> Path:
    for number in range(count):
        coarse = torch.from_numpy(seeds.rng(3, "command photo", number).random((1, 3, 5, 7))).float()
        suffix = ("jpg", "png", "tif", "webp")[number % 4]
        images.write(images.resize(coarse, px, px + number), folder / f"part {number % 3}" / f"{number:03d}.{suffix}")
    return folder


def files(folder: Path) -> dict[str, bytes]:
    """Hidden ones too."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def count(folder: Path) -> int:
    return sum(1 for _, _, found in os.walk(folder) for name in found if not name.startswith("."))


def assert_same(first: dict[str, bytes], second: dict[str, bytes]) -> None:
    """To the bit, but for the sheet: its small copies are of files where the paintings were there before."""
    sheets = [images.decode(each.pop("sheet.jpg")).float() for each in (first, second)]
    assert first == second
    assert (sheets[0] - sheets[1]).abs().mean() < 1


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "brushnet", "stylize", *map(str, arguments)]


def start(*arguments: object, **options) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command(*arguments), stderr=subprocess.PIPE, text=True, env=environment, cwd=REPOSITORY,
                            **options)  # fmt: skip


def stylize(*arguments: object) -> int:
    return cli.main(["stylize", *map(str, arguments)])


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_folder_goes_on_by_the_same_command_and_is_as_if_never_stopped(tmp_path, model_file, capsys, sent):
    source = photos(tmp_path / "photos", 24, px=100)
    arguments = [model_file, source, "-o", tmp_path / "out", "--strokes", "0.5,1,2"]
    process = start(*arguments)
    while count(tmp_path / "out") < 6:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(sent)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    done = files(tmp_path / "out")
    assert 6 <= len(done) < 72
    assert all(not name.rpartition("/")[2].startswith(".") for name in done)  # nothing half written
    for name in done:
        images.read(tmp_path / "out" / name)
    *_, summary, last = said.splitlines()
    assert summary == f"{len(done)} pictures written"
    assert last == "brushnet: stopped; the same command goes on with what is left"

    assert stylize(*arguments) == 0
    assert f"{73 - len(done)} pictures written, contact sheet " in capsys.readouterr().err
    assert stylize(*arguments[:3], tmp_path / "unbroken", *arguments[4:]) == 0
    assert_same(files(tmp_path / "out"), files(tmp_path / "unbroken"))
    capsys.readouterr()
    assert stylize(*arguments) == 0
    assert capsys.readouterr().err == "0 pictures written, 72 skipped (there already; --force paints them again)\n"


def test_the_second_signal_ends_it_at_once_and_leaves_nothing_half_written(tmp_path, model_file):
    images.write(torch.rand(1, 3, 3000, 4000), tmp_path / "large.png")
    photos(tmp_path / "photos", 30)
    process = start(model_file, tmp_path / "photos", tmp_path / "large.png", "-o", tmp_path / "out", "--jobs", "3")
    while count(tmp_path / "out") < 30:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 3
    assert all(not name.rpartition("/")[2].startswith(".") for name in files(tmp_path / "out"))


def test_the_pictures_do_not_depend_on_how_many_are_in_hand(tmp_path, model_file):
    source = photos(tmp_path / "photos", 17)
    for jobs in ("1", "2", "7", "auto"):
        assert stylize(model_file, source, "-o", tmp_path / jobs, "--strokes", "0.5,2", "--jobs", jobs) == 0
    first, *others = (files(tmp_path / jobs) for jobs in ("1", "2", "7", "auto"))
    assert len(first) == 35
    assert all(other == first for other in others)


def test_the_summary_is_in_the_order_of_the_inputs_however_many_are_in_hand(tmp_path, model_file, capsys):
    source = photos(tmp_path / "photos", 20)
    broken = [*sorted(source.rglob("*.tif"))[::2], source / "part 0" / "zero bytes.png"]
    for path in broken:
        path.write_bytes(b"")
    assert stylize(model_file, source, "-o", tmp_path / "out", "--jobs", "6") == 1
    said = capsys.readouterr().err.splitlines()
    listed = said[said.index(f"{len(broken)} failed:") + 1 : -1]
    assert listed == [f"{path}: not a picture, or of an unknown kind" for path in sorted(broken)]
    assert said[-1] == f"{20 - len(broken) + 1} pictures written; {len(broken)} failed, see above"


def test_what_failed_is_tried_again_and_what_is_there_is_not(tmp_path, model_file, capsys):
    source = photos(tmp_path / "photos", 4)
    good = (source / "part 1" / "001.png").read_bytes()
    (source / "part 1" / "001.png").write_bytes(good[:100])
    assert stylize(model_file, source, "-o", tmp_path / "out") == 1
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")}
    (source / "part 1" / "001.png").write_bytes(good)
    capsys.readouterr()
    assert stylize(model_file, source, "-o", tmp_path / "out") == 0
    written = tmp_path / "out" / "part 1" / "001.png"
    said = f"1 picture written ({written}), 3 skipped (there already; --force paints them again)"
    assert capsys.readouterr().err == f"{said}\n"
    assert all(path.stat().st_mtime_ns == when for path, when in before.items())
    assert stylize(model_file, source, "-o", tmp_path / "out", "--force") == 0
    assert all(path.stat().st_mtime_ns > when for path, when in before.items())


def test_the_sheet_of_a_folder_that_grew_shows_all_photos(tmp_path, model_file):
    arguments = ["--strokes", "0.5,1", "-o"]
    stylize(model_file, photos(tmp_path / "photos", 3), *arguments, tmp_path / "out")
    small = images.size(tmp_path / "out" / "sheet.jpg")
    stylize(model_file, photos(tmp_path / "photos", 6), *arguments, tmp_path / "out")
    assert images.size(tmp_path / "out" / "sheet.jpg")[0] > 1.8 * small[0]
    stylize(model_file, tmp_path / "photos", *arguments, tmp_path / "at once")
    assert_same(files(tmp_path / "out"), files(tmp_path / "at once"))


def test_pictures_go_through_pipes_and_messages_to_standard_error(tmp_path, model_file):
    photo = next(photos(tmp_path / "photos", 1).rglob("*.jpg"))
    done = subprocess.run(command(model_file, "-", "-o", "-", "--format", "png"), input=photo.read_bytes(),
                          capture_output=True, check=False, cwd=REPOSITORY)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"1 picture written (standard output)\n")
    (tmp_path / "piped.png").write_bytes(done.stdout)
    assert images.size(tmp_path / "piped.png") == images.size(photo)


def test_a_pattern_that_no_shell_expanded(tmp_path, model_file, capsys):
    source = photos(tmp_path / "photos", 8)
    assert stylize(model_file, f"{source}/**/*.jpg", "-o", tmp_path / "out") == 0
    assert sorted(files(tmp_path / "out")) == ["part 0/000.jpg", "part 1/004.jpg"]
    assert stylize(model_file, f"{source}/*.gif", "-o", tmp_path / "other") == 2
    assert re.search(r"^brushnet: error: \S+/\*\.gif: no picture matches \(looked for .*\)$", capsys.readouterr().err,
                     re.MULTILINE)  # fmt: skip
    assert not (tmp_path / "other").exists()


def test_a_full_disk_in_the_middle_ends_it_with_what_was_done(tmp_path, model_file, capsys, monkeypatch):
    source, replace, calls = photos(tmp_path / "photos", 12), os.replace, iter(range(100))

    def full(old, new):
        if next(calls) >= 5:
            raise OSError(28, "No space left on device")
        replace(old, new)

    monkeypatch.setattr(os, "replace", full)
    assert stylize(model_file, source, "-o", tmp_path / "out", "--jobs", "2") == 1
    *_, summary, last = capsys.readouterr().err.splitlines()
    assert summary == "5 pictures written"
    assert re.fullmatch(r"brushnet: error: cannot write .*: No space left on device", last)
    assert len(files(tmp_path / "out")) == 5


def test_a_file_in_the_place_of_an_output_folder_costs_only_what_belongs_there(tmp_path, model_file, capsys):
    source = photos(tmp_path / "photos", 6)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "part 1").write_text("in the way")
    assert stylize(model_file, source, "-o", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "4 pictures written; 2 failed, see above" in said
    assert len(re.findall(r"cannot write .*part 1/\S+: (?:Not a directory|File exists)", said)) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--jobs", "0"], "--jobs: must be a whole number above 0, got 0"),
        (["--jobs", "many"], "--jobs: must be a whole number above 0, got many"),
        (["--bits", "12"], "--bits: invalid choice: '12'"),
        (["--format", "gif"], "--format: invalid choice: 'gif'"),
    ],
)
def test_wrong_options_are_one_line(tmp_path, model_file, capsys, arguments, message):
    assert stylize(model_file, "a.jpg", "-o", tmp_path / "out", *arguments) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


class TestVideos:
    @pytest.fixture
    def clip(self, tmp_path):
        return write_clip(tmp_path / "clip.mp4", 4, size=(48, 36))

    def test_a_clip_is_painted(self, tmp_path, clip, capsys):
        assert cli.main(["stylize", "starry-night", str(clip), "-o", str(tmp_path / "painted.mp4")]) == 0
        assert f"4 frames painted ({tmp_path / 'painted.mp4'})" in capsys.readouterr().err
        assert [(frame.width, frame.height) for frame in read_clip(tmp_path / "painted.mp4")] == [(48, 36)] * 4

    @pytest.mark.parametrize(
        ("more", "message"),
        [
            (["photo.jpg"], "videos and pictures take one call each"),
            (["--strokes", "0.5,1"], "--strokes is for pictures, not for videos; leave it out"),
            (["--max-memory", "2GB"], "--max-memory is for pictures, not for videos; leave it out"),
        ],
    )
    def test_what_is_not_for_videos_is_refused(self, tmp_path, clip, capsys, more, message):
        assert cli.main(["stylize", "starry-night", str(clip), "-o", str(tmp_path / "painted.mp4"), *more]) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "painted.mp4").exists()

    def test_those_in_a_folder_are_left_out_and_said(self, tmp_path, clip, caplog):
        images.write(torch.rand(1, 3, 24, 24), tmp_path / "in" / "photo.jpg")
        clip.rename(tmp_path / "in" / "clip.mp4")
        assert cli.main(["stylize", "starry-night", str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 0
        assert "in: 1 video left out; to paint videos, name them one by one" in caplog.text
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["photo.jpg"]

    def test_what_is_for_videos_needs_one(self, tmp_path, capsys):
        assert cli.main(["stylize", "starry-night", "a.jpg", "-o", str(tmp_path / "b.jpg"), "--crf", "20"]) == 2
        assert "--crf is for videos; no INPUT is one" in capsys.readouterr().err


def test_a_memory_that_is_none_is_refused(tmp_path, capsys):
    for text, message in (
        ("much", "--max-memory must be a size such as 2GB, 800MB or 1.5GiB, got 'much'"),
        ("1MB", "--max-memory must be at least 1GB, got 1MB"),
    ):
        assert cli.main(["stylize", "starry-night", "a.jpg", "-o", "b.jpg", "--max-memory", text]) == 2
        assert message in capsys.readouterr().err
