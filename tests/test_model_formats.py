"""Files of earlier formats. `format_1.safetensors` was written by the last brushnet of format 1: two paintings, and in
its metadata what they painted then."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from brushnet import model_formats, models
from brushnet.errors import UserError

OLD = Path(__file__).parent / "format_1.safetensors"


def header(path: Path) -> dict:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["brushnet"])


def check_paints_as_it_did(model: models.StyleModel) -> None:
    photo = torch.linspace(0, 1, 3 * 20 * 20).view(1, 3, 20, 20)
    for style in (0, 1):
        painted = model(photo, stroke=2**0.5, style=style)[0, :, ::7, ::7].flatten()
        expected = torch.tensor(model.meta.training["painted"][str(style)])
        torch.testing.assert_close(painted, expected, atol=1e-5, rtol=0)


def test_a_file_of_format_1_paints_as_it_did():
    assert header(OLD)["format"] == 1
    check_paints_as_it_did(models.load(OLD))


def test_a_checkpoint_of_format_1_paints_as_it_did(tmp_path):
    state = {f"ema.module.{key}": value for key, value in load_file(OLD).items()}
    torch.save({"state_dict": state, "brushnet": json.dumps(header(OLD))}, tmp_path / "old.ckpt")
    check_paints_as_it_did(models.load(tmp_path / "old.ckpt"))


def test_saved_again_it_is_a_file_of_today(tmp_path):
    old = models.load(OLD)
    models.save(tmp_path / "new.safetensors", old.net, old.meta)
    assert header(tmp_path / "new.safetensors")["format"] == 3
    check_paints_as_it_did(models.load(tmp_path / "new.safetensors"))


def test_a_file_of_one_format_does_not_pass_for_another(tmp_path):
    path = tmp_path / "m.safetensors"
    told = header(OLD)
    as_new = {**told, "format": 2, "net": {**told["net"], "trunk": "plain"}}
    save_file(load_file(OLD), path, metadata={"brushnet": json.dumps(as_new)})
    with pytest.raises(UserError, match=r"'condition\.affine\.bias' must be 2x72 .* got 72$"):
        models.load(path)
    new = models.load(OLD)
    models.save(path, new.net, new.meta)
    save_file(load_file(path), path, metadata={"brushnet": json.dumps(header(OLD))})
    with pytest.raises(UserError, match=r"'condition\.affine\.bias' must be 72 .* got 2x72$"):
        models.load(path)


def test_a_small_file_of_format_1_that_would_unfold_to_gigabytes_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(model_formats, "MOST_REPEATED_VALUES", 500)
    with pytest.raises(UserError, match=r"a file of format 1 whose 2 styles would unfold to 576 values, at most 500"):
        models.load(OLD)
