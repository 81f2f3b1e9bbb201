"""A sweep as its files: jobs that ended one way or another, figures that follow a formula, pictures of a few px."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from brushnet import models, seeds
from brushnet.config import Config
from brushnet.config.saved import to_yaml
from brushnet.model_meta import ModelMeta
from brushnet.nets import ResidualTransformer

SCALES = (0.5, 1.0, 2.0)
ERRORS = {"fixed": 0.9, "one_octave": 0.6, "three_octaves": 0.3}  # control error by the first axis
LAYERS = {"shallow": 0.2, "deep": 0.05}
PHOTOS = ("cat", "boat")


def config_of(stroke: str, seed: int, *, layers: str = "shallow") -> Config:
    cfg = Config()
    cfg.seed = seed
    cfg.loss.pyramid_levels = 3 if layers == "shallow" else 1
    if stroke == "fixed":
        cfg.stroke.mode, cfg.stroke.min, cfg.stroke.max = "fixed", 1.0, 1.0
    elif stroke == "one_octave":
        cfg.stroke.min, cfg.stroke.max = 0.71, 1.41
    return cfg


def evaluation_of(
    stroke: str, layers: str, seed: int, painting: str, *, scales=SCALES, photos=PHOTOS
) -> dict[str, Any]:
    """Readings off by ERRORS and LAYERS, larger requests to one side, smaller ones to the other; 0.01 over seeds."""
    off = ERRORS[stroke] + LAYERS[layers] + 0.01 * seed
    rows = []
    for photo in photos:
        for scale in scales:
            octaves = math.log2(scale)
            matched = 0.0 if stroke == "fixed" else octaves - math.copysign(off, octaves)
            rows.append({
                "photo": photo, "stroke": scale, "requested_octaves": octaves,
                "seen": stroke != "fixed" or scale == 1.0,
                "matched_octaves": matched, "match_distance": 0.04,
                "style_loss": 1.0 + LAYERS[layers] + abs(octaves) / 4 + 0.1 * seed, "content_distance": 1.0 - off / 2,
                "ssim": 0.3, "palette_distance": 0.02,
                "picture": f"{photo}_s{1.0 if stroke == 'fixed' else scale:.2f}.jpg",
            })  # fmt: skip
    summary = {"slope": 1 - off, "mean_absolute_error_octaves": off, "spearman": 1.0, "usable_octaves": 1.0,
               "usable_from_octaves": -0.5, "usable_to_octaves": 0.5, "spread_over_photos_octaves": 0.1,
               "unmeasured": 0, "seen_error_octaves": None}  # fmt: skip
    mode = "fixed" if stroke == "fixed" else "conditioned"
    low, high = {"fixed": (1.0, 1.0), "one_octave": (0.71, 1.41)}.get(stroke, (0.35, 2.8))
    return {"format": 1, "brushnet": "0.1.0", "painting": painting, "size_px": 16, "encoder": "steerable",
            "lossnet": "compact", "stroke_mode": mode, "trained_range": [low, high], "scales": list(scales),
            "photos": list(photos), "seconds": 1.0, "rows": rows, "summary": summary}  # fmt: skip


class SweepFiles:
    """`make` writes a finished job; other methods what may go wrong."""

    def __init__(self, folder: Path, model: bytes):
        self.folder, self.model = folder, model
        self.jobs: list[dict[str, Any]] = []

    def make(self, stroke: str, layers: str, seed: int, painting: str = "waves", **evaluated: Any) -> Path:
        values = {"stroke": stroke, "layers": layers, "style.files": painting, "seed": str(seed)}
        run = self.folder / "-".join([stroke, layers, painting, f"seed{seed}"])
        self.jobs.append({"name": run.name, "values": values, "overrides": [], "digest": "0"})
        (run / "evaluation").mkdir(parents=True)
        (run / "config.yaml").write_text(to_yaml(config_of(stroke, seed, layers=layers)))
        (run / "model.safetensors").write_bytes(self.model)
        self.outcome(run, "finished")
        lines = [f"{step},{3 / step:.3f},{2 / step:.3f}" for step in range(10, 110, 10)]
        (run / "metrics.csv").write_text("\n".join(["step,train/loss,val/style", *lines, ""]))
        found = evaluation_of(stroke, layers, seed, painting, **evaluated)
        (run / "evaluation" / "evaluation.json").write_text(json.dumps(found))
        for number, name in enumerate(sorted({row["picture"] for row in found["rows"]} | {
            *(f"{photo}.jpg" for photo in found["photos"]), *(f"painting_s{scale:.2f}.jpg" for scale in found["scales"])
        })):  # fmt: skip
            write_picture(run / "evaluation" / name, number)
        return run

    def outcome(self, run: Path, state: str, cause: str = "") -> None:
        run.mkdir(parents=True, exist_ok=True)
        (run / "job.json").write_text(json.dumps({"state": state, "cause": cause, "attempts": 1, "seconds": 80.5}))

    def record(self) -> None:
        axes: dict[str, list[str]] = {}
        for job in self.jobs:
            for key, value in job["values"].items():
                if value not in axes.setdefault(key, []):
                    axes[key].append(value)
        told = {"format": 1, "brushnet": "0.1.0", "command": "brushnet train -m sweep=scale_x_layers", "seed": 0,
                "began": "2026-11-26T18:31:00+00:00", "launcher": "joblib", "axes": axes,
                "jobs": self.jobs}  # fmt: skip
        (self.folder / "sweep.json").write_text(json.dumps(told))


def write_picture(path: Path, number: int, side: int = 16) -> None:
    pixels = np.full((side, side * 4 // 3, 3), (number * 37 % 256, number * 91 % 256, 120), np.uint8)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="session")
def model_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    with seeds.torch_seeded(0, "test"):
        net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=1)
    meta = ModelMeta.of(net.eval().requires_grad_(False), stroke_mode="conditioned", stroke_min=0.35, stroke_max=2.8,
                        reference_px=256, style_names=["waves"],
                        training={"command": "brushnet train stroke=fixed", "steps": 400, "seconds": 75.5,
                                  "device": "cpu (2 threads)", "seed": 0})  # fmt: skip
    models.save(path, net, meta)
    return path.read_bytes()


@pytest.fixture
def sweep_files(tmp_path: Path, model_bytes: bytes) -> SweepFiles:
    return SweepFiles(tmp_path / "my sweep", model_bytes)


@pytest.fixture
def whole_sweep(sweep_files: SweepFiles) -> Path:
    """3 ranges x 2 layer selections x 2 seeds, and one job that failed."""
    return write_whole_sweep(sweep_files)


def write_whole_sweep(sweep_files: SweepFiles) -> Path:
    for stroke in ERRORS:
        for layers in LAYERS:
            for seed in (0, 1):
                sweep_files.make(stroke, layers, seed)
    failed = sweep_files.folder / "three_octaves-shallow-waves-seed9"
    sweep_files.outcome(failed, "failed", "out of memory: needs 9 GB")
    sweep_files.jobs.append({"name": failed.name, "overrides": [], "digest": "1", "values": {
        "stroke": "three_octaves", "layers": "shallow", "style.files": "waves", "seed": "9"}})  # fmt: skip
    sweep_files.record()
    return sweep_files.folder
