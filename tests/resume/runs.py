"""Small trainings to break: what they are given, how they are started, killed and gone on with."""

import json
import os
import select
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from brushnet import images, seeds
from brushnet.data.pack import pack
from tests.conftest import strokes_picture, vgg_state

PATIENCE_SECONDS = 240  # a training of these takes 1 to 15: beyond this it hangs
LINGER_SECONDS = 60
# Checkpoints, validations and grids fall on steps of their own and together on others.
# In a file, for Hydra takes a tenth of a second for each option of a command line.
SMALL = """# @package _global_
data: {workers: 0, val_photos: 2}
style: {reference_px: 96, bank_step_octaves: 1.0}
stroke: {min: 0.5, max: 1.0}
loss: {pyramid_levels: 2, content_level: 1}
net: {width: 4, blocks: 1, stroke_embedding: 8}
trainer:
  accelerator: cpu
  batch_size: 2
  crop_px: 32
  warmup_steps: 2
  log_every_steps: 1
  validate_every_steps: 3
  sample_every_steps: 5
  checkpoint_every_steps: 4
"""


@dataclass(frozen=True)
class Variant:
    """A training of its own kind. `overrides` may name what `make_data` made: {photos}, {painting}, ..."""

    name: str
    overrides: tuple[str, ...] = ()
    ranks: int = 1
    steps: int = 14
    bad_batches: tuple[int, ...] = ()

    def command(self, data: Path) -> list[str]:
        given = {name: data / file for name, file in FILES.items()}
        defaults = ("data.path='{photos}'", "style.files=['{painting}']", "lossnet.weights='{lossnet}'")
        chosen = [each.format(**given) for each in (*defaults, *self.overrides)]
        fixed = [f"trainer.devices={self.ranks}", f"trainer.max_steps={self.steps}", "hydra.run.dir=run"]
        return ["train", "--config-dir", str(data / "conf"), "experiment=small", *fixed, *chosen]

    @property
    def environment(self) -> dict[str, str]:
        return {"BRUSHNET_TEST_BAD": json.dumps(self.bad_batches)} if self.bad_batches else {}


FILES = {
    "photos": "photos",
    "broken_photos": "broken_photos",
    "shards": "shards",
    "broken_shards": "broken_shards",
    "painting": "diagonal.png",
    "other_painting": "dots.png",
    "lossnet": "vgg.pth",
    "base": "base.safetensors",
}
VARIANTS = [
    Variant("bank-folder"),
    Variant("crop-shards-workers", ("style.target=crop", "data.path='{shards}'", "data.workers=2")),
    Variant("bank-shards-ddp", ("data.path='{shards}'", "style.files=['{painting}','{other_painting}']"), ranks=2),
    Variant("crop-folder-ddp-bad", ("style.target=crop", "data.path='{broken_photos}'"), ranks=2, bad_batches=(2, 6)),
    Variant(
        "bank-broken-shards-workers",
        ("data.path='{broken_shards}'", "data.workers=2", "trainer.log_every_steps=2", "loss.spectrum_weight=0"),
    ),
    Variant("bank-folder-bad", ("trainer.schedule=one-cycle",), bad_batches=(0, 3, 4, 9)),
    Variant("crop-folder-base", ("style.base='{base}'", "style.target=crop", "style.files=['{other_painting}']")),
    Variant(
        "crop-shards-ddp-workers",
        ("style.target=crop", "data.path='{shards}'", "data.workers=2", "stroke.mode=mixed"),
        ranks=2,
    ),
    Variant("bank-folder-workers-bf16", ("data.workers=2", "trainer.precision=bf16-mixed", "trainer.gradient_clip=0")),
]


def make_data(folder: Path) -> Path:
    """Photos as files and in shards, sound and with broken ones among them; two paintings; a loss network; options."""
    (folder / "conf" / "experiment").mkdir(parents=True)
    (folder / "conf" / "experiment" / "small.yaml").write_text(SMALL)
    torch.save(vgg_state(), folder / "vgg.pth")
    images.write(images.to_float(strokes_picture())[None], folder / "diagonal.png")
    dots = torch.from_numpy(seeds.rng(7, "test dots").random((1, 3, 24, 32))).float()
    images.write(images.resize(dots, 96, 128), folder / "dots.png")
    for name in ("photos", "broken_photos"):
        (folder / name).mkdir()
        for number in range(12):
            coarse = torch.from_numpy(seeds.rng(7, "test photo", number).random((1, 3, 6, 8))).float()
            images.write(images.resize(coarse, 72, 96).clamp(0, 1), folder / name / f"photo{number:02d}.jpg")
    (folder / "broken_photos" / "junk.jpg").write_bytes(b"\xff\xd8 no photo")
    whole = (folder / "photos" / "photo03.jpg").read_bytes()
    (folder / "broken_photos" / "half.jpg").write_bytes(whole[: len(whole) // 2])
    pack(folder / "photos", folder / "shards", shard_mb=0.01)
    (folder / "broken_shards").mkdir()
    broken = sorted((folder / "broken_photos").iterdir())
    for number in range(3):
        with tarfile.open(folder / "broken_shards" / f"{number}.tar", "w") as tar:
            for path in broken[number::3]:
                tar.add(path, path.name)
    return folder


@dataclass
class Attempt:
    """How one process, or group of them, ended: exit code, or -9 where it was killed."""

    code: int
    seconds: float
    killed_after: float | None = None

    @property
    def killed(self) -> bool:
        """By SIGKILL, or by the kernel in the middle of writing a file (see ambush.py)."""
        return self.code in (-signal.SIGKILL, -signal.SIGXFSZ)


class Processes:
    """Starts each training as a user does: `python -m brushnet`, in a process group of its own."""

    def run(
        self,
        argv: Sequence[str],
        *,
        folder: Path,
        environment: dict[str, str] | None = None,
        ranks: int = 1,
        kill_after: float | None = None,
        number: int = signal.SIGKILL,
    ) -> Attempt:
        """Runs `brushnet ARGV` in `folder`; after `kill_after` seconds all its processes get the signal `number`."""
        site = str(Path(__file__).parent / "site")
        whole = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": site, **(environment or {})}
        started = time.monotonic()
        with (folder / "output.txt").open("a") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "brushnet", *argv],
                cwd=folder,
                env=whole,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            code = process.wait(PATIENCE_SECONDS if kill_after is None else kill_after)
            killed = None
        except subprocess.TimeoutExpired:
            killed = time.monotonic() - started
            os.killpg(process.pid, number if kill_after is not None else signal.SIGKILL)
            code = process.wait(PATIENCE_SECONDS)
            assert kill_after is not None, f"hangs: {tail(folder)}"
        _none_is_left(process.pid)
        return Attempt(code, time.monotonic() - started, killed)


def _none_is_left(group: int) -> None:
    """Whatever ended a training's first process, its others end soon after."""
    deadline = time.monotonic() + LINGER_SECONDS
    while left := _alive(group):
        if time.monotonic() > deadline:
            os.killpg(group, signal.SIGKILL)
            raise AssertionError(f"processes {left} outlive the training that started them")
        time.sleep(0.1)


def _alive(group: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended since
            state, _, of_group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(of_group) == group and state != "Z":
                found.append(int(folder.name))
    return found


class Forks:
    """Starts each training as a fork of a process that has imported everything. See zygote.py."""

    def __init__(self) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "zygote.py")],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,  # select knows nothing of a line that waits in a buffer
        )
        self._answer(PATIENCE_SECONDS)

    def close(self) -> None:
        self.process.kill()  # it holds nothing; to leave Python in order takes seconds
        self.process.communicate(timeout=PATIENCE_SECONDS)

    def run(
        self,
        argv: Sequence[str],
        *,
        folder: Path,
        environment: dict[str, str] | None = None,
        ranks: int = 1,
        kill_after: float | None = None,
        number: int = signal.SIGKILL,
    ) -> Attempt:
        """As `Processes.run`."""
        assert self.process.stdin is not None
        request = {"argv": list(argv), "folder": str(folder), "out": str(folder / "output.txt"), "ranks": ranks}
        self.process.stdin.write(json.dumps(request | {"environment": environment or {}}).encode() + b"\n")
        self.process.stdin.flush()
        group = self._answer(PATIENCE_SECONDS)["group"]
        started, killed = time.monotonic(), None
        answer = self._answer(PATIENCE_SECONDS if kill_after is None else kill_after)
        if answer is None:
            killed = time.monotonic() - started
            if kill_after is None:
                os.killpg(group, signal.SIGUSR1)  # the stacks of all threads
                time.sleep(2)
            os.killpg(group, number if kill_after is not None else signal.SIGKILL)
            answer = self._answer(PATIENCE_SECONDS)
            assert kill_after is not None, f"hangs: {tail(folder, 200)}"
        codes = answer["codes"]
        return Attempt(min(codes) if min(codes) < 0 else max(codes), time.monotonic() - started, killed)

    def _answer(self, seconds: float) -> Any:
        """The next line as JSON, or None where it does not come in time."""
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], seconds)[0]:
            return None
        line = self.process.stdout.readline()
        assert line, "the process that forks trainings has died"
        return json.loads(line)


@dataclass
class Trial:
    """One training in `folder`, from its beginning, over all that stops it, to its end."""

    starter: Processes | Forks
    variant: Variant
    data: Path
    folder: Path
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def run_folder(self) -> Path:
        return self.folder / "run"

    @property
    def kills(self) -> int:
        return sum(attempt.killed for attempt in self.attempts)

    def go_on(self, *overrides: str, ranks: int | None = None, kill: dict | None = None, **run: Any) -> Attempt:
        """Begins the training, or resumes it where its configuration is saved. `kill`: see ambush.py."""
        self.folder.mkdir(parents=True, exist_ok=True)
        begun = (self.run_folder / "config.yaml").exists()
        argv = ["train", "resume=run"] if begun else self.variant.command(self.data)
        environment = self.variant.environment | run.pop("environment", {})
        environment |= {"BRUSHNET_TEST_KILL": json.dumps(kill)} if kill else {}
        attempt = self.starter.run(
            [*argv, *overrides], folder=self.folder, environment=environment, ranks=ranks or self.variant.ranks, **run
        )
        self.attempts.append(attempt)
        return attempt

    def finish(self) -> None:
        """Resumes without further kills."""
        attempt = self.go_on()
        assert attempt.code == 0, f"{self.variant.name}: exit code {attempt.code}: {tail(self.folder)}"

    def survive(self, kills: Iterable[float]) -> None:
        """Killed after so many seconds, resumed and killed again, and so on; then it is left to finish."""
        for seconds in kills:
            attempt = self.go_on(kill_after=seconds)
            if not attempt.killed:
                assert attempt.code == 0, f"{self.variant.name}: exit code {attempt.code}: {tail(self.folder)}"
                return
        self.finish()


def tail(folder: Path, lines: int = 12) -> str:
    """The end of what a training said."""
    return "\n".join((folder / "output.txt").read_text(errors="replace").splitlines()[-lines:])
