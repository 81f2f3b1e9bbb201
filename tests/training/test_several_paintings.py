"""One model of several paintings: each is learned, shown and judged."""

import pytest
import torch

import brushnet
from brushnet import images
from brushnet.training import callbacks
from brushnet.training.metrics_csv import MetricsCsv
from tests.training.conftest import AT_THE_END


@pytest.fixture
def second(tmp_path):
    """Grey blocks: nothing like the orange and blue diagonals of the first."""
    blocks = torch.rand(1, 1, 12, 15, generator=torch.Generator().manual_seed(5)).expand(-1, 3, -1, -1)
    images.write(images.resize(blocks, 144, 180), tmp_path / "blocks.png")
    return tmp_path / "blocks.png"


@pytest.fixture
def train_both(train, painting_file, second):
    def run(*overrides):
        return train(f"style.files=['{painting_file}','{second}']", *overrides)

    return run


def saturation(picture_B3HW: torch.Tensor) -> float:
    return float((picture_B3HW.amax(1) - picture_B3HW.amin(1)).mean())


def test_each_painting_is_learned_as_its_own(train_both):
    often = ("trainer.max_steps=80", "trainer.validate_every_steps=80", "trainer.learning_rate=0.02")
    model = brushnet.load(train_both(*often, *AT_THE_END))
    assert model.style_names == ("diagonal", "blocks")
    photo = torch.rand(2, 3, 48, 48, generator=torch.Generator().manual_seed(0))
    colourful, grey = (saturation(model(photo, style=name)) for name in model.style_names)
    assert colourful > 1.2 * grey
    mixed = saturation(model(photo, style={"diagonal": 0.5, "blocks": 0.5}))
    assert grey < mixed < colourful


def test_each_painting_has_its_own_figures_in_validation(train_both):
    run = train_both("data.val_photos=3", "trainer.max_steps=6")
    row = next(row for row in MetricsCsv(run / "metrics.csv").rows() if row["val/loss"])
    each = [float(row[f"val/style/{name}"]) for name in ("diagonal", "blocks")]
    assert each[0] != each[1]
    # Three photos at two scales, in turn: three pictures like each.
    assert float(row["val/style"]) == pytest.approx(sum(each) / 2, rel=1e-4)
    assert brushnet.load(run).meta.training["losses"].keys() >= {"val/style/diagonal", "val/style/blocks"}


def test_a_single_painting_has_no_figures_beside_those_of_the_model(train):
    columns = MetricsCsv(train("trainer.max_steps=6") / "metrics.csv").columns
    assert not [name for name in columns if name.startswith("val/style/")]


def test_the_sample_sheet_shows_each_painting_and_photos_like_it(train_both, train):
    sheets = [images.read(train_both("trainer.max_steps=6", "data.val_photos=4") / "samples" / "step_000006.jpg")]
    assert callbacks.CELL_PX * 6 > sheets[0].shape[-2] > 4 * 64  # two paintings, and two photos for each
    painting_rows = saturation(sheets[0][..., : sheets[0].shape[-2] // 2, 300:])
    assert painting_rows > 0.05


def test_paintings_of_one_name_are_told_apart(train, painting_file, second, tmp_path):
    same = tmp_path / "other" / painting_file.name
    same.parent.mkdir()
    same.write_bytes(second.read_bytes())
    run = train(f"style.files=['{painting_file}','{same}']", "trainer.max_steps=6")
    assert brushnet.load(run).style_names == ("diagonal", "diagonal-2")
    assert "val/style/diagonal-2" in MetricsCsv(run / "metrics.csv").columns
