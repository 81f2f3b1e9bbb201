import pytest
import torch

from brushnet.distill.train import distill, ridge
from brushnet.errors import BrushnetError, UserError
from brushnet.lossnet import LossNetwork
from tests.conftest import vgg_state


def test_the_student_learns(begin):
    run = begin(steps=60)
    before = sum(float(value) for value in run.unexplained(-50).values())
    for step in range(60):
        run.step(step)
    assert sum(float(value) for value in run.unexplained(-50).values()) < 0.7 * before


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_any_number_of_steps_has_a_schedule(begin, steps, tmp_path):
    distill(begin(steps=steps), save_every=100)
    assert (tmp_path / "last.pt").is_file()


def test_a_resumed_distillation_gives_the_weights_of_an_unbroken_one(begin):
    unbroken, first = begin("one.pt"), begin("two.pt")
    distill(unbroken, save_every=100)
    for step in range(3):
        first.step(step)
    first.save(3)
    resumed = begin("two.pt")
    distill(resumed, save_every=100)
    for name, value in unbroken.state().items():
        assert torch.equal(value, resumed.state()[name]), name


def test_a_checkpoint_of_another_distillation_is_refused(begin, photos):
    begin().save(1)
    changes = {
        "settings": {"seed": 5},
        "pictures": {"sources": photos[:5]},
        "teacher": {"teacher": LossNetwork({key: 2 * value for key, value in vgg_state().items()}, name="other")},
    }
    for name, change in changes.items():
        message = (
            rf"last\.pt is of another distillation \({name} .*, now .*\); give what it began with, or another --out"
        )
        with pytest.raises(UserError, match=message):
            begin(**change)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"junk", r"last\.pt cannot be read: .*; delete it"),
        (None, r"last\.pt is no checkpoint of a distillation; delete"),
    ],
)
def test_a_checkpoint_that_is_none_is_refused_by_name(begin, tmp_path, content, message):
    torch.save({"step": 1}, tmp_path / "last.pt")
    if content is not None:
        (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(UserError, match=message):
        begin()


def test_what_is_no_longer_finite_stops_before_it_is_saved(begin):
    run = begin()
    with torch.no_grad():
        run.student.convs[0].bias.fill_(float("nan"))
    with pytest.raises(BrushnetError, match=r"step 3: the gradient is no longer finite; .* lower --learning-rate than"):
        run.step(3)


def test_a_teacher_without_the_layers_says_which_it_has(begin):
    with pytest.raises(UserError, match=r"no layer 'relu1_2'; its layers are relu1_1, relu2_1, relu3_1"):
        begin(widths=((4, 4), (4,)))


def test_a_step_counts_deep_layers_only_now_and_then(begin):
    run = begin(teacher=LossNetwork(vgg_state((6, 8, 10, 10)), name="deeper"), widths=((4,), (5,), (6, 6)))
    assert [list(run.step(step)["style"])[-1] for step in range(5)] == ["relu3_2", *3 * ["relu3_1"], "relu3_2"]


def test_ridge_finds_the_map():
    feats, matrix = torch.rand(2, 4, 8, 8), torch.randn(6, 4)
    torch.testing.assert_close(
        ridge(feats, torch.einsum("kc,bchw->bkhw", matrix, feats), strength=1e-9), matrix, atol=1e-4, rtol=1e-4
    )


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("step", 9999, r"step must be the schedule's and at most \d+, got 9999"),
        ("student", {}, r"student has other entries than this run's"),
        ("axes", {"relu1_1": torch.zeros(1, 1)}, r"axes has other entries than this run's"),
        ("schedule", None, r"schedule has other entries than this run's: 'mapping'"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused_by_name(begin, part, value, message):
    run = begin()
    run.step(0)
    run.save(1)
    assert begin().first == 1
    saved = torch.load(run.checkpoint, weights_only=True)
    torch.save(saved | {part: value}, run.checkpoint)
    with pytest.raises(UserError, match=rf"last\.pt is damaged: {message}.*; delete it to begin anew$"):
        begin()


def test_momentum_beyond_1_is_refused(begin):
    run = begin()
    run.step(0)
    run.save(1)
    saved = torch.load(run.checkpoint, weights_only=True)
    saved["optimizer"]["param_groups"][0]["betas"] = (2.0, 2.0)
    torch.save(saved, run.checkpoint)
    with pytest.raises(UserError, match=r"damaged: optimizer\.betas must be from 0 to 1, got \(2\.0, 2\.0\)"):
        begin()
