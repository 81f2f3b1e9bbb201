"""A stranger's run folder: its checkpoint before the training goes on, and what the commands say of it."""

import io
import pickle
import random
import zipfile
from copy import deepcopy
from pathlib import Path

import pytest
import torch
import yaml

from brushnet import build, cli, config
from brushnet.checkpoints.folder import newest
from brushnet.errors import UserError
from brushnet.strokes import StrokeRange
from brushnet.training.content import check_state
from brushnet.training.identity import saved_identity
from brushnet.training.module import StyleTraining
from brushnet.training.run import check_format, read_checkpoint
from tests.hostile.mutations import values_mutated
from tests.hostile.torch_mutations import torch_zip_mutated
from tests.hostile.watch import outcome
from tests.training.conftest import tiny, train  # noqa: F401

ODD_TENSORS = (
    torch.zeros(0),
    torch.tensor(-1),
    torch.tensor(float("nan")),
    torch.full((3,), 2**62),
    torch.zeros(1).expand(99),
    torch.zeros(2, 2).to_sparse(),
    torch.zeros(2, dtype=torch.complex64),
)


@pytest.fixture
def run(train) -> Path:  # noqa: F811
    return train("trainer.max_steps=2", "trainer.validate_every_steps=2", "trainer.warmup_steps=1")


@pytest.fixture
def module(tiny) -> StyleTraining:  # noqa: F811
    cfg = config.compose(tiny)
    stroke = StrokeRange(cfg.stroke.min, cfg.stroke.max, cfg.stroke.mode)
    paintings = build.build_paintings(cfg, stroke)
    return build.build_module(cfg, lossnet=build.build_lossnet(cfg), paintings=paintings, stroke=stroke, command=None)


def content_mutated(content: dict, rng: random.Random) -> bytes:
    """Values of the checkpoint changed, and tensors in places where others are."""
    content = values_mutated(content, rng)
    if isinstance(content, dict) and rng.random() < 0.5:
        section = content.get(rng.choice(("state_dict", "PhotoData", "progress", "callbacks")))
        if isinstance(section, dict) and section:
            section[rng.choice(list(section))] = rng.choice(ODD_TENSORS)
    buffer = io.BytesIO()
    try:
        torch.save(content, buffer)
    except RecursionError:
        return b""
    return buffer.getvalue()


def test_checkpoint_to_go_on_from(attack, run, module, tmp_path):
    folder = tmp_path / "stranger"
    folder.mkdir()
    path = folder / "last.ckpt"
    whole = (run / "checkpoints" / "last.ckpt").read_bytes()
    path.write_bytes(whole)
    plain = plainly(torch.load(path, weights_only=True))
    fresh = deepcopy(module.state_dict())

    def goes_on() -> None:
        """What a resume reads of it, in its order, and what Lightning does with it then."""
        assert newest(folder) == path
        content = read_checkpoint(path)
        check_format(path)
        saved_identity(content, source=str(path))
        check_state(content, module, source=str(path))
        module.load_state_dict(content["state_dict"])
        (optimizer,), (schedule,) = module.configure_optimizers()
        optimizer.load_state_dict(content["optimizer_states"][0])
        schedule.load_state_dict(content["lr_schedulers"][0])
        for parameter in module.net.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        schedule.step()
        module.ema.update_parameters(module.net)
        module.load_state_dict(fresh)

    goes_on()

    def act(rng):
        path.write_bytes(torch_zip_mutated(whole, rng) if rng.random() < 0.4 else content_mutated(plain, rng))
        outcome(goes_on, names=str(folder))

    attack(act)


def plainly(content):
    if isinstance(content, dict):
        return {key: plainly(value) for key, value in content.items()}
    return [plainly(value) for value in content] if isinstance(content, list | tuple) else content


def poisoned(path: Path) -> None:
    """A pickle that would make the file `ran`, in an archive that is otherwise the run's own."""

    class Attack:
        def __reduce__(self):
            return (Path.touch, (Path("ran"),))

    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(name, pickle.dumps(Attack(), protocol=2) if name.endswith("data.pkl") else data)


LINES = {
    "pipe": (
        "data:\n  workers: 0\n  path: 'pipe:touch ran'\n",
        r"data.path=pipe:touch ran runs a shell command; pass --allow-pipe",
    ),
    "resolver": ("data:\n  path: ${oc.env:HOME}\n", "holds plain values, got an interpolation ${...}"),
    "time": ("seed: ${now:%S}\n", "holds plain values, got an interpolation ${...}"),
    "target": ("net:\n  _target_: os.system\n  _args_: [touch ran]\n", "unknown option net._"),
    "hydra": ("hydra:\n  launcher:\n    _target_: os.system\n", "unknown option hydra"),
    "tag": ("seed: !!python/object/apply:os.system [touch ran]\n", "tags are not allowed"),
    "output": ("hydra:\n  run:\n    dir: /tmp/elsewhere\n", "unknown option hydra"),
}


def test_each_hostile_configuration_is_refused_in_one_line(run, capfd):
    whole, before = (run / "config.yaml").read_text(), listing(run)
    values = yaml.safe_load(whole)
    values["data"]["path"] = "pipe:touch ran"
    for kind, (line, message) in LINES.items():
        (run / "config.yaml").write_text(line or yaml.safe_dump(values))
        assert cli.main(["train", f"resume={run}", "trainer.max_steps=4"]) == 2, kind
        *told, said = capfd.readouterr().err.strip().splitlines()  # before it, which loss network there is
        assert message in said, kind
        assert len(told) == (kind == "pipe"), told
    (run / "config.yaml").write_text(whole)
    assert listing(run) == before


def test_a_checkpoint_that_would_run_code_is_refused_in_one_line(run, capfd, tmp_path, painting_file, photos_dir):
    for other in [run / "model.safetensors", *run.glob("checkpoints/step_*.ckpt"), *run.glob("checkpoints/best.ckpt")]:
        other.unlink()
    checkpoint = run / "checkpoints" / "last.ckpt"
    poisoned(checkpoint)
    before = listing(tmp_path)
    for arguments in (
        ["train", f"resume={run}", "trainer.max_steps=4"],
        ["train", f"resume={checkpoint}", "trainer.max_steps=4"],
        ["train", "--fork", f"resume={run}", "hydra.run.dir=new"],
        ["train", "experiment=add_style", f"style.base={checkpoint}", f"style.files=[{painting_file}]",
         f"data.path={photos_dir}", "hydra.run.dir=new"],
        ["stylize", str(run), str(photos_dir), "-o", "out"],
        ["evaluate", str(run), "--style", str(painting_file), "--content", str(photos_dir), "-o", "out"],
    ):  # fmt: skip
        assert cli.main(arguments) == 2, arguments
        said = capfd.readouterr().err.strip().splitlines()
        assert len(said) == 1, said
        assert "it holds more than tensors; such a file could run code" in said[0]
        assert "last.ckpt" in said[0]
    assert listing(tmp_path) == before


def listing(folder: Path) -> list[tuple[Path, bytes]]:
    """Of all but the log, in which a run that goes on says why it does not."""
    return sorted((path, path.read_bytes()) for path in folder.rglob("*") if path.is_file() and path.suffix != ".log")


def test_a_pipe_needs_the_users_own_word_even_in_braces(tmp_path):
    from brushnet.data.sources import open_source

    for path in ("pipe:touch ran", "{pipe:touch ran,x}.tar", "x.tar::pipe:touch ran"):
        (tmp_path / "x.tar").write_bytes(bytes(1024))
        with pytest.raises(UserError, match=r"runs a shell command; pass --allow-pipe|does not exist|holds no photos"):
            open_source(path)
