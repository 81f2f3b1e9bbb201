"""The saved style model: what goes in comes out, and nothing that a stranger put into the file does harm."""

import dataclasses
import json
import pickle
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

import brushnet
from brushnet import models, samples
from brushnet.config import schema
from brushnet.errors import BrushnetError, UserError
from brushnet.models import ModelMeta, StyleModel
from brushnet.nets import ResidualTransformer


def make_net(*, styles: int = 1) -> ResidualTransformer:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, styles=styles)
        torch.nn.init.normal_(net.condition.affine.weight, std=0.3)  # so that an untrained network hears the stroke
    return net.eval().requires_grad_(False)


def make_meta(net: ResidualTransformer, *, mode: str = "conditioned", low: float = 0.5, high: float = 2.0) -> ModelMeta:
    return ModelMeta.of(
        net,
        stroke_mode=mode,
        stroke_min=low,
        stroke_max=high,
        reference_px=256,
        style_names=[f"painting-{index}" for index in range(net.styles)],
        training={"steps": 7, "losses": {"content": 0.5}},
    )


def make_model(*, styles: int = 1, mode: str = "conditioned", low: float = 0.5, high: float = 2.0) -> StyleModel:
    net = make_net(styles=styles)
    return StyleModel(net, make_meta(net, mode=mode, low=low, high=high))


@pytest.fixture
def photo() -> Tensor:
    return torch.rand(1, 3, 22, 31, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    net = make_net()
    models.save(tmp_path / "model.safetensors", net, make_meta(net))
    return tmp_path / "model.safetensors"


def rewrite(path: Path, change) -> None:
    """Apply `change` to the metadata's JSON object."""
    content = json.loads(make_meta(make_net()).to_json())
    change(content)
    save_file(load_file(path), path, metadata={"brushnet": json.dumps(content)})


def save_checkpoint(path: Path, net: ResidualTransformer, **more: object) -> Path:
    raw = {f"net.{key}": torch.zeros_like(value) for key, value in net.state_dict().items()}
    averaged = {f"ema.module.{key}": value for key, value in net.state_dict().items()}
    state = {**raw, **averaged, "ema.n_averaged": torch.tensor(3)}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": state, "brushnet": make_meta(net).to_json(), "epoch": 0, **more}, path)
    return path


class TestRoundTrip:
    def test_loaded_model_paints_what_the_saved_network_painted(self, saved, photo):
        expected = make_net()(photo, torch.tensor(1.5).log2().view(1, 1, 1, 1), torch.ones(1, 1))
        torch.testing.assert_close(models.load(saved)(photo, stroke=1.5), expected)

    def test_public_load_is_this_one(self, saved):
        assert isinstance(brushnet.load(saved), StyleModel)

    def test_metadata_survives(self, saved):
        model = models.load(saved)
        assert model.meta == make_meta(make_net())
        assert (model.stroke_range, model.stroke_mode, model.reference_px) == ((0.5, 2.0), "conditioned", 256)
        assert model.style_names == ("painting-0",)
        assert model.meta.training["losses"] == {"content": 0.5}
        assert model.meta.version == brushnet.__version__

    def test_loss_that_is_not_finite_does_not_prevent_saving(self):
        meta = dataclasses.replace(make_meta(make_net()), training={"losses": {"tv": float("nan")}, "rates": [1.0]})
        read = ModelMeta.from_json(meta.to_json(), source="FILE")
        assert read.training == {"losses": {"tv": None}, "rates": [1.0]}

    def test_channels_last_bfloat16_network_is_saved_as_float32(self, tmp_path, photo):
        net = make_net().to(torch.bfloat16).to(memory_format=torch.channels_last)
        models.save(tmp_path / "m.safetensors", net, make_meta(net))
        loaded = models.load(tmp_path / "m.safetensors")
        assert {value.dtype for value in loaded.net.state_dict().values()} == {torch.float32}
        assert loaded(photo).shape == photo.shape

    def test_a_model_can_be_read_by_whom_other_new_files_can_be_read(self, saved):
        other = saved.with_name("other")
        other.write_bytes(b"")
        assert saved.stat().st_mode == other.stat().st_mode

    def test_slim_model_is_smaller_than_2_5_mb(self, tmp_path):
        net = ResidualTransformer()
        models.save(tmp_path / "slim.safetensors", net, make_meta(net))
        assert (tmp_path / "slim.safetensors").stat().st_size < 2.5e6

    def test_same_model_gives_the_same_bytes(self, saved, tmp_path):
        model = models.load(saved)
        models.save(tmp_path / "again.safetensors", model.net, model.meta)
        assert (tmp_path / "again.safetensors").read_bytes() == saved.read_bytes()

    def test_saving_over_a_file_leaves_models_loaded_from_it_alone(self, saved, photo):
        model = models.load(saved)
        before = model(photo)
        saved.write_bytes(bytes(saved.stat().st_size))
        torch.testing.assert_close(model(photo), before, rtol=0, atol=0)

    def test_nothing_is_left_behind_by_saving(self, saved):
        assert [path.name for path in saved.parent.iterdir()] == ["model.safetensors"]

    def test_unwritable_place_is_named(self, saved):
        net = make_net()
        with pytest.raises(BrushnetError, match=r"cannot write .*model\.safetensors/m\.safetensors: "):
            models.save(saved / "m.safetensors", net, make_meta(net))

    def test_loading_takes_no_draws_from_the_callers_generator(self, saved):
        state = torch.get_rng_state()
        models.load(saved)
        assert torch.equal(torch.get_rng_state(), state)


class TestWhatTrainingMayWrite:
    """A limit that training does not know would show after hours of it."""

    def test_style_names_of_any_files_are_taken(self):
        names = ["a-3", "a", "a", "b\n\x1b[2J", "", "c" * 300]
        net = make_net(styles=6)
        meta = ModelMeta.of(
            net, stroke_mode="conditioned", stroke_min=0.5, stroke_max=2, reference_px=64, style_names=names
        )
        assert ModelMeta.from_json(meta.to_json(), source="FILE") == meta
        assert meta.style_names == ("a-3", "a", "a-3-3", "b__[2J", "painting", "c" * 150)

    @pytest.mark.parametrize("shape", [{}, {"trunk": "plain"}, {"ends": "patch", "trunk_px": 5.5}], ids=str)
    def test_the_shape_of_the_network_is_kept(self, shape):
        net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8, **shape)
        meta = ModelMeta.of(net, stroke_mode="fixed", stroke_min=1, stroke_max=1, reference_px=64, style_names=["a"])
        again = ModelMeta.from_json(meta.to_json(), source="FILE")
        assert again.build_net().load_state_dict(net.state_dict())
        assert {name: getattr(again.build_net(), name) for name in shape} == shape

    def test_an_unknown_trunk_is_refused(self):
        net = ResidualTransformer(width=4, blocks=1, stroke_embedding=8)
        meta = ModelMeta.of(net, stroke_mode="fixed", stroke_min=1, stroke_max=1, reference_px=64, style_names=["a"])
        text = meta.to_json().replace('"scaled"', '"bent"')
        with pytest.raises(UserError, match=r"FILE: metadata net.trunk must be one of scaled, plain, got .*bent"):
            ModelMeta.from_json(text, source="FILE")

    @pytest.mark.parametrize("end", ["min", "max"])
    def test_limits_of_the_configuration_are_within_those_of_the_file(self, end):
        def limit(options, name):
            return getattr(options.__dataclass_fields__[name].metadata["rule"], end)

        net = {name: limit(schema.NetOptions, name) for name in ["width", "blocks", "stroke_embedding", "trunk_px"]}
        meta = ModelMeta(
            **net,
            styles=1,
            trunk="scaled",
            ends="full",
            stroke_mode="fixed",
            stroke_min=limit(schema.StrokeOptions, "min"),
            stroke_max=limit(schema.StrokeOptions, "max"),
            reference_px=limit(schema.StyleOptions, "reference_px"),
            style_names=("a",),
        )
        assert ModelMeta.from_json(meta.to_json(), source="FILE") == meta


class TestCheckpoint:
    def test_averaged_weights_are_the_ones_loaded(self, tmp_path, photo):
        model = models.load(save_checkpoint(tmp_path / "last.ckpt", make_net()))
        torch.testing.assert_close(model(photo), make_model()(photo))

    def test_run_folder_gives_its_model_and_else_its_last_checkpoint(self, tmp_path, photo):
        save_checkpoint(tmp_path / "checkpoints" / "last.ckpt", make_net())
        expected = make_model()(photo)
        torch.testing.assert_close(models.load(tmp_path)(photo), expected)
        net = make_net()
        torch.nn.init.zeros_(net.last.weight)
        models.save(tmp_path / "model.safetensors", net, make_meta(net))
        assert not torch.allclose(models.load(tmp_path)(photo), expected)

    def test_folder_without_either_is_no_run(self, tmp_path):
        with pytest.raises(UserError, match=r"no run folder \(neither model\.safetensors nor checkpoints/last\.ckpt"):
            models.load(tmp_path)

    def test_checkpoint_of_another_program_is_refused(self, tmp_path):
        torch.save({"state_dict": {"layer.weight": torch.zeros(2)}}, tmp_path / "other.ckpt")
        with pytest.raises(UserError, match=r"other\.ckpt: a PyTorch file, but no brushnet checkpoint"):
            models.load(tmp_path / "other.ckpt")

    def test_bare_tensor_is_refused(self, tmp_path):
        torch.save(torch.zeros(3), tmp_path / "tensor.pt")
        with pytest.raises(UserError, match=r"tensor\.pt: a PyTorch file, but no brushnet checkpoint"):
            models.load(tmp_path / "tensor.pt")

    def test_checkpoint_without_averaged_weights_is_refused(self, tmp_path):
        torch.save({"state_dict": {}, "brushnet": make_meta(make_net()).to_json()}, tmp_path / "a.ckpt")
        with pytest.raises(UserError, match=r"a\.ckpt: weight 'condition\.affine\.bias' must be .* got absent"):
            models.load(tmp_path / "a.ckpt")

    def test_checkpoint_that_holds_code_is_refused_and_not_run(self, tmp_path):
        path = save_checkpoint(tmp_path / "evil.ckpt", make_net(), callbacks=Evil(tmp_path / "ran"))
        with pytest.raises(UserError, match=r"evil\.ckpt: it holds more than tensors; such a file could run") as caught:
            models.load(path)
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("protocol", [0, 2, 5])
    def test_bare_pickle_is_refused_and_not_run(self, tmp_path, protocol):
        (tmp_path / "evil.ckpt").write_bytes(pickle.dumps(Evil(tmp_path / "ran"), protocol=protocol))
        with pytest.raises(UserError, match=r"evil\.ckpt: .*a brushnet model is a \.safetensors file"):
            models.load(tmp_path / "evil.ckpt")
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
    def test_truncated_checkpoint_is_refused(self, tmp_path, kept):
        path = save_checkpoint(tmp_path / "cut.ckpt", make_net())
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
        with pytest.raises(UserError, match=r"cut\.ckpt: it is no file of weights, or a damaged one; a brush"):
            models.load(path)

    def test_zip_that_could_unpack_to_any_size_is_refused(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "bomb.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bytes(10_000_000))
        with pytest.raises(UserError, match=r"bomb\.ckpt: its members are compressed, and could unfold to any"):
            models.load(tmp_path / "bomb.ckpt")

    def test_weights_that_share_one_number_are_refused_before_they_are_copied(self, tmp_path):
        net = make_net()
        huge = torch.zeros(1).expand(10**12)  # 4 bytes in the file
        state = {f"ema.module.{key}": value for key, value in net.state_dict().items()}
        state["ema.module.last.weight"] = huge
        torch.save({"state_dict": state, "brushnet": make_meta(net).to_json()}, tmp_path / "huge.ckpt")
        with pytest.raises(UserError, match=r"huge\.ckpt: its tensors would unfold to more bytes"):
            models.load(tmp_path / "huge.ckpt")

    @pytest.mark.parametrize(
        "stream", [b"\x80\x02.", b"\x80\x02R.", b"\x80\x02a.", b"\x80\x02h\x07.", b"\x80\x02}Q.", b""]
    )
    def test_pickle_that_takes_more_than_it_put_is_refused(self, tmp_path, stream):
        path = save_checkpoint(tmp_path / "last.ckpt", make_net())
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in members.items():
                archive.writestr(name, stream if name.endswith("data.pkl") else data)
        with pytest.raises(
            UserError, match=r"last\.ckpt: it (is no file of weights, or a damaged|holds more than tensors)"
        ) as refused:
            models.load(path)
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize("kind", ["meta", "sparse"])
    def test_weights_without_data_are_refused(self, tmp_path, kind):
        net = make_net()
        weight = net.last.weight.detach()
        state = {f"ema.module.{key}": value for key, value in net.state_dict().items()}
        state["ema.module.last.weight"] = weight.to("meta") if kind == "meta" else weight.to_sparse()
        torch.save({"state_dict": state, "brushnet": make_meta(net).to_json()}, tmp_path / "odd.ckpt")
        with pytest.raises(UserError, match=r"odd\.ckpt: it holds more than tensors; such a file could run code"):
            models.load(tmp_path / "odd.ckpt")

    def test_weights_that_unfold_to_more_than_the_file_are_refused(self, tmp_path):
        net = ResidualTransformer(width=16, blocks=1, stroke_embedding=8, styles=1)
        state = {f"ema.module.{key}": torch.zeros(1).expand(value.shape) for key, value in net.state_dict().items()}
        torch.save({"state_dict": state, "brushnet": make_meta(net).to_json()}, tmp_path / "thin.ckpt")
        with pytest.raises(UserError, match=r"thin\.ckpt: its tensors would unfold to more bytes than the file has"):
            models.load(tmp_path / "thin.ckpt")


class Evil:
    """Pickled, it creates a file when it is read by a trusting reader."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


class TestWhatIsNoModel:
    def test_evil_pickle_would_have_run(self, tmp_path):
        """The harm that the tests above look for is real."""
        pickle.loads(pickle.dumps(Evil(tmp_path / "ran")))
        assert (tmp_path / "ran").exists()

    def test_missing_file(self, tmp_path):
        with pytest.raises(UserError, match=r"gone\.safetensors: no such model file or run folder"):
            models.load(tmp_path / "gone.safetensors")

    @pytest.mark.parametrize("content", [b"", b"\x80", b"hello", b"\xff" * 100, b"\xff\xd8\xff\xe0 a JPEG perhaps" * 9])
    def test_file_of_another_kind(self, tmp_path, content):
        (tmp_path / "notes.txt").write_bytes(content)
        with pytest.raises(UserError, match=r"notes\.txt: damaged, cut off or not a model .* is a \.safetensors"):
            models.load(tmp_path / "notes.txt")

    @pytest.mark.parametrize("kept", [4, 100, 1500, -1])
    def test_truncated_safetensors(self, saved, kept):
        saved.write_bytes(saved.read_bytes()[:kept])
        with pytest.raises(UserError, match=r"model\.safetensors: damaged, cut off or not a model"):
            models.load(saved)

    def test_safetensors_of_another_program(self, tmp_path):
        save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
        with pytest.raises(UserError, match=r"a safetensors file, but not of brushnet \(no 'brushnet' metadata\)"):
            models.load(tmp_path / "other.safetensors")

    def test_header_length_that_looks_like_a_pickle_is_none(self, tmp_path):
        path = tmp_path / "other.safetensors"
        for length in range(700, 900):  # one of these headers is 0x0380 bytes long: a pickle opens with 80 03, too
            save_file({"a": torch.zeros(2)}, path, metadata={"note": "a" * length})
            if path.read_bytes()[:2] == b"\x80\x03":
                break
        assert path.read_bytes()[:2] == b"\x80\x03"
        with pytest.raises(UserError, match=r"a safetensors file, but not of brushnet"):
            models.load(path)

    def test_newer_format_asks_for_a_newer_brushnet(self, saved):
        rewrite(saved, lambda content: content.update(format=4, version="9.1"))
        with pytest.raises(UserError, match=r"written by brushnet 9\.1 in format 4; .* reads formats up to 3"):
            models.load(saved)

    def test_fields_of_a_later_version_are_left_out(self, saved):
        rewrite(saved, lambda content: content.update(later={"a": 1}))
        assert models.load(saved).reference_px == 256

    def test_weights_of_another_shape(self, saved):
        weights = load_file(saved)
        weights["last.weight"] = torch.zeros(3, 5, 9, 9)
        save_file(weights, saved, metadata={"brushnet": make_meta(make_net()).to_json()})
        with pytest.raises(UserError, match=r"weight 'last\.weight' must be 3x4x9x9 .* got 3x5x9x9"):
            models.load(saved)

    def test_surplus_weight(self, saved):
        save_file(
            {**load_file(saved), "zzz": torch.zeros(1)}, saved, metadata={"brushnet": make_meta(make_net()).to_json()}
        )
        with pytest.raises(UserError, match=r"weight 'zzz' must be absent in the network .* got 1"):
            models.load(saved)

    def test_half_precision_weights(self, saved):
        weights = {key: value.half() for key, value in load_file(saved).items()}
        save_file(weights, saved, metadata={"brushnet": make_meta(make_net()).to_json()})
        with pytest.raises(UserError, match=r"weights must be float32, got F16"):
            models.load(saved)

    def test_weights_that_are_not_finite(self, saved):
        weights = load_file(saved)
        weights["last.bias"][1] = torch.nan
        save_file(weights, saved, metadata={"brushnet": make_meta(make_net()).to_json()})
        with pytest.raises(UserError, match=r"weight 'last\.bias' holds NaN or infinite values"):
            models.load(saved)


HOSTILE = {
    "huge width": (("net", "width"), 10**9, r"net\.width must be a whole number from 1 to 256, got 1000000000"),
    "no width": (("net", "width"), None, r"net\.width must be a whole number from 1 to 256, got null"),
    "width true": (("net", "width"), True, r"net\.width must be .* got true"),
    "half a block": (("net", "blocks"), 0.5, r"net\.blocks must be a whole number from 1 to 64, got 0\.5"),
    "many styles": (("net", "styles"), 10**6, r"net\.styles must be a whole number from 1 to 4096"),
    "no net": (("net",), [1], r"'net' must be a JSON object, got \[1\]"),
    "format 0": (("format",), 0, r"format must be a whole number from 1"),
    "mode": (("stroke", "mode"), "wild", r'stroke\.mode must be one of conditioned, mixed, fixed, got "wild"'),
    "mode list": (("stroke", "mode"), [], r"stroke\.mode must be one of conditioned, mixed, fixed, got \[\]"),
    "stroke 0": (("stroke", "min"), 0, r"stroke\.min must be a number from 0\.015625 to 64, got 0"),
    "stroke text": (("stroke", "max"), "2", r'stroke\.max must be a number .* got "2"'),
    "reversed": (("stroke", "min"), 4.0, r"stroke\.min must be below stroke\.max, which is 2\.0, got 4\.0"),
    "zero width": (("stroke", "min"), 2.0, r"stroke\.min must be below stroke\.max"),
    "not fixed": (("stroke", "mode"), "fixed", r"stroke\.min must be equal to stroke\.max \(mode fixed\)"),
    "reference": (("reference_px",), 10**9, r"reference_px must be a whole number from 16 to 16384"),
    "two names": (("style_names",), ["a", "b"], r"style_names must be a list of 1 different names"),
    "name that drives terminals": (("style_names",), ["\x1b[2J"], r"style_names must be a list of .*printable"),
    "long name": (("style_names",), ["a" * 999], r"style_names must be .* 1 to 200 characters.* got .{60,70}$"),
    "version": (("version",), "\n", r"version must be printable text"),
    "training": (("training",), "long", r"'training' must be a JSON object"),
}


@pytest.mark.parametrize(("place", "value", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_metadata_is_refused_by_field_value_and_what_is_allowed(saved, place, value, message):
    def change(content):
        for key in place[:-1]:
            content = content[key]
        content[place[-1]] = value

    rewrite(saved, change)
    with pytest.raises(UserError, match=rf"model\.safetensors: metadata {message}") as caught:
        models.load(saved)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("missing", ["format", "version", "net", "stroke", "reference_px", "style_names", "training"])
def test_missing_metadata_is_named(saved, missing):
    rewrite(saved, lambda content: content.pop(missing))
    with pytest.raises(UserError, match=rf"metadata {missing} is missing, must be "):
        models.load(saved)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"format": NaN}', "NaN is no JSON number"),
        ('{"format": ' + "9" * 5000 + "}", "not valid JSON"),
        (" " * 1_000_001, "at most 1000000 allowed"),
        ("7", "'brushnet' must be a JSON object, got 7"),
    ],
)
def test_metadata_that_is_no_json_object_is_refused(text, message):
    with pytest.raises(UserError, match=rf"FILE: .*{message}"):
        ModelMeta.from_json(text, source="FILE")


def test_huge_network_is_refused_before_it_is_allocated(saved):
    """256 channels with 64 blocks are allowed, but would take 4.8 GB: the file would have to hold them."""
    rewrite(saved, lambda content: content["net"].update(width=256, blocks=64))
    with pytest.raises(UserError, match=r"weight 'condition\.affine\.bias' must be .* got"):
        models.load(saved)


class TestNames:
    @pytest.fixture(autouse=True)
    def embedded(self, tmp_path, monkeypatch):
        net = make_net()
        models.save(tmp_path / "embedded" / "models" / "starry-night.safetensors", net, make_meta(net))
        monkeypatch.setattr(samples, "samples_dir", lambda: tmp_path / "embedded")
        monkeypatch.chdir(tmp_path)

    def test_embedded_model_by_name(self):
        assert models.load("starry-night").stroke_range == (0.5, 2.0)

    def test_file_of_that_name_comes_first(self, tmp_path):
        net = make_net()
        models.save(tmp_path / "starry-night", net, make_meta(net, low=0.7))
        assert models.load("starry-night").stroke_range == (0.7, 2.0)

    def test_unknown_name_lists_the_known_and_suggests_the_nearest(self):
        with pytest.raises(
            UserError,
            match=r"model 'stary-night' is neither a file nor embedded: did you mean starry-night\? "
            r"embedded are: starry-night; a path is allowed too",
        ):
            models.load("stary-night")

    def test_home_of_an_unknown_user_is_a_plain_name(self):
        with pytest.raises(UserError, match=r"^~nosuchuser/m\.ckpt: no such model file or run folder"):
            models.load("~nosuchuser/m.ckpt")

    def test_missing_file_by_bare_name_is_taken_for_a_file(self):
        with pytest.raises(UserError, match=r"^m\.safetensors: no such model file"):
            models.load("m.safetensors")


class TestCall:
    @pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 70), (37, 1), (33, 51), (64, 64)])
    def test_output_has_the_size_of_the_photo_and_lies_in_0_to_1(self, height, width):
        painted = make_model()(torch.rand(2, 3, height, width))
        assert painted.shape == (2, 3, height, width)
        assert 0 <= painted.min() <= painted.max() <= 1
        assert not painted.requires_grad

    def test_each_photo_of_a_batch_has_its_own_stroke(self, photo):
        model = make_model()
        both = model(photo.expand(2, -1, -1, -1), stroke=torch.tensor([0.5, 2.0]))
        torch.testing.assert_close(both[:1], model(photo, stroke=0.5))
        torch.testing.assert_close(both[1:], model(photo, stroke=2.0))
        assert not torch.allclose(both[0], both[1])

    def test_even_stroke_map_is_the_same_as_its_number(self, photo):
        model = make_model()
        torch.testing.assert_close(
            model(photo, stroke=torch.full((1, 1, 5, 7), 1.7)), model(photo, stroke=1.7), rtol=1e-4, atol=1e-4
        )

    def test_stroke_left_out_is_1(self, photo):
        model = make_model()
        torch.testing.assert_close(model(photo), model(photo, stroke=1.0))

    @pytest.mark.parametrize(("low", "high", "own"), [(2.0, 4.0, 2.0), (0.25, 0.5, 0.5), (0.5, 2.0, 1.0)])
    def test_own_stroke_is_the_trained_one_nearest_to_1(self, low, high, own, caplog):
        assert make_model(low=low, high=high).default_stroke == own
        make_model(low=low, high=high).fit_stroke(None, strict=True)
        assert not caplog.records

    @pytest.mark.parametrize(("stroke", "nearest"), [(9.0, 2.0), (0.1, 0.5), (5, 2.0)])
    def test_stroke_outside_the_range_is_clamped_with_a_warning(self, photo, caplog, stroke, nearest):
        model = make_model()
        painted = model(photo, stroke=stroke)
        assert caplog.messages == [f"stroke {stroke:g} is outside the trained range 0.5 to 2: clamped"]
        torch.testing.assert_close(painted, model(photo, stroke=nearest))

    def test_stroke_outside_the_range_is_refused_if_strict(self, photo):
        with pytest.raises(UserError, match=r"^stroke 9 is outside the trained range 0\.5 to 2$"):
            make_model()(photo, stroke=9.0, strict=True)

    def test_ends_of_the_range_are_inside_in_float32_too(self, caplog):
        model = make_model(low=0.35, high=2.8)
        model.fit_stroke(torch.tensor([0.35, 2.8]), strict=True)
        assert not caplog.records

    @pytest.mark.parametrize("stroke", [float("nan"), 0.0, -1, float("inf"), torch.tensor([1.0, float("nan")])])
    def test_stroke_that_is_no_positive_number_is_refused(self, photo, stroke):
        with pytest.raises(UserError, match=r"stroke must be a finite number above 0, got "):
            make_model()(photo, stroke=stroke)

    @pytest.mark.parametrize(
        ("stroke", "got"), [("1", "'1'"), (True, "True"), ([1.0], "list"), (np.ones((1, 1, 9, 9)), "ndarray")]
    )
    def test_stroke_of_another_type_is_refused_in_one_line(self, photo, stroke, got):
        with pytest.raises(UserError, match=rf"^stroke must be a number above 0 or a tensor of such, got {got}$"):
            make_model()(photo, stroke=stroke)

    @pytest.mark.parametrize("shape", [(3,), (1, 2, 4, 4), (2, 1, 4, 4), (4, 4)])
    def test_stroke_of_another_shape_is_refused(self, photo, shape):
        with pytest.raises(
            UserError, match=r"^stroke must be one number, .* \(1 or B, 1, h, w\), here with B = 1, got shape"
        ):
            make_model()(photo, stroke=torch.ones(shape))

    @pytest.mark.parametrize(("mode", "low", "high", "own"), [("mixed", 0.5, 2.0, 1.0), ("fixed", 1.5, 1.5, 1.5)])
    def test_models_that_are_not_told_the_stroke_refuse_another(self, photo, mode, low, high, own):
        model = make_model(mode=mode, low=low, high=high)
        with pytest.raises(
            UserError, match=rf"stroke 0\.7: .*stroke\.mode={mode} and paints with its own stroke {own:g} only"
        ):
            model(photo, stroke=0.7)
        torch.testing.assert_close(model(photo, stroke=own), model(photo))

    @pytest.mark.parametrize(("mode", "stroke"), [("mixed", 1.0), ("fixed", 1.5)])
    def test_networks_that_are_not_told_see_zero_as_in_training(self, photo, mode, stroke):
        model = make_model(mode=mode, low=0.5 if mode == "mixed" else 1.5, high=2.0 if mode == "mixed" else 1.5)
        expected = make_net()(photo, torch.zeros(1, 1, 1, 1), torch.ones(1, 1))
        torch.testing.assert_close(model(photo, stroke), expected)

    @pytest.mark.parametrize(
        "photo",
        [torch.zeros(3, 8, 8), torch.zeros(1, 1, 8, 8), torch.zeros(1, 3, 0, 8), torch.zeros(1, 3, 8, 8).byte(), 7],
    )
    def test_photo_of_another_kind_is_refused(self, photo):
        with pytest.raises(UserError, match=r"photo must be a float tensor \(B, 3, H, W\) with RGB in \[0, 1\], got "):
            make_model()(photo)

    def test_style_by_name_or_index(self, photo):
        model = make_model(styles=2)
        second = model(photo, style="painting-1")
        torch.testing.assert_close(second, model(photo, style=1))
        assert not torch.allclose(second, model(photo), rtol=0, atol=1e-6)

    def test_a_mixture_of_styles_is_none_of_them(self, photo):
        model = make_model(styles=2)
        mixed, first, second = (model(photo, style=s) for s in ({"painting-0": 0.4, "painting-1": 0.6}, 0, 1))
        assert min((mixed - one).abs().max() for one in (first, second)) > 1e-4
        whole = {"painting-0": 0.0, "painting-1": 1}
        assert torch.equal(model(photo, style=whole), second)

    def test_a_mixture_that_does_not_sum_to_1_is_refused(self, photo):
        with pytest.raises(UserError, match=r"^weights of a mixture must sum to 1 within 0\.01, got 0\.9;"):
            make_model(styles=2)(photo, style={"painting-0": 0.3, "painting-1": 0.6})

    @pytest.mark.parametrize("style", ["monet", 2, -1])
    def test_unknown_style_lists_the_known(self, photo, style):
        with pytest.raises(UserError, match=r"style must be one of painting-0, painting-1, got "):
            make_model(styles=2)(photo, style=style)


class TestPaintAll:
    def photos(self) -> list[Tensor]:
        generator = torch.Generator().manual_seed(3)
        return [torch.rand(1, 3, height, 31, generator=generator) for height in (22, 40, 22, 22)]

    def test_each_is_what_it_is_alone_and_in_its_place(self):
        model, photos = make_model(), self.photos()
        for photo, painting in zip(photos, model.paint_all(photos, 1.5), strict=True):
            torch.testing.assert_close(painting, model(photo, 1.5))

    def test_each_photo_may_have_a_scale_of_its_own(self):
        model, photos, scales = make_model(), self.photos(), [0.5, 1.0, 1.5, 2.0]
        for photo, scale, painting in zip(photos, scales, model.paint_all(photos, scales), strict=True):
            torch.testing.assert_close(painting, model(photo, scale))

    def test_those_of_one_size_are_painted_together_up_to_a_number_of_pixels(self, monkeypatch):
        model, seen = make_model(), []
        forward = model.net.forward
        monkeypatch.setattr(
            model.net, "forward", lambda photo, *rest: seen.append(photo.shape) or forward(photo, *rest)
        )
        model.paint_all(self.photos())
        assert [(shape[0], shape[2]) for shape in seen] == [(3, 22), (1, 40)]
        seen.clear()
        monkeypatch.setattr(models, "BATCH_PIXELS", 2 * 22 * 31)
        model.paint_all(self.photos())
        assert [(shape[0], shape[2]) for shape in seen] == [(2, 22), (1, 40), (1, 22)]

    def test_nothing_to_paint_is_nothing_painted(self):
        assert make_model().paint_all([]) == []

    def test_models_of_one_stroke_need_none(self):
        model = make_model(mode="fixed", low=1.0, high=1.0)
        assert len(model.paint_all(self.photos())) == 4

    @pytest.mark.parametrize(
        ("stroke", "message"),
        [
            ([1.0, 2.0], r"stroke must be one number, or one for each of the 4 photos, got 2"),
            ([1.0, 2.0, -1.0, 1.0], r"stroke must be a finite number above 0, got -1"),
            ([1.0, 2.0, "x", 1.0], r"stroke must be a number above 0 or a tensor of such, got 'x'"),
        ],
    )
    def test_wrong_scales_are_refused(self, stroke, message):
        with pytest.raises(UserError, match=message):
            make_model().paint_all(self.photos(), stroke)

    def test_batches_are_refused_as_items(self):
        with pytest.raises(
            UserError, match=r"photos must be a list of \(1, 3, H, W\), got one of shape \(2, 3, 8, 8\)"
        ):
            make_model().paint_all([torch.rand(2, 3, 8, 8)])


class TestServing:
    def test_threads_may_share_a_model(self, photo):
        model = make_model(styles=2)
        requests = [
            (scale, style) for scale in (0.5, 0.8, 1.3, 2.0) for style in (0, 1, {"painting-0": 0.5, "painting-1": 0.5})
        ]
        alone = [model(photo, scale, style=style) for scale, style in requests]
        with ThreadPoolExecutor(4) as threads:
            together = list(threads.map(lambda request: model(photo, request[0], style=request[1]), requests))
        for first, second in zip(alone, together, strict=True):
            torch.testing.assert_close(first, second)

    def test_compiled_it_paints_the_same_at_any_size_and_scale(self, photo):
        model = make_model()
        wide = torch.rand(1, 3, 40, 57, generator=torch.Generator().manual_seed(4))
        expected = [model(each, scale) for each in (photo, wide) for scale in (0.5, 1.7)]
        torch.compiler.reset()
        assert model.compile(backend="aot_eager") is model
        painted = [model(each, scale) for each in (photo, wide) for scale in (0.5, 1.7)]
        torch.testing.assert_close(painted, expected)

    def test_the_model_itself_may_be_compiled(self, photo):
        model = make_model()
        torch.compiler.reset()
        torch.testing.assert_close(torch.compile(model, backend="eager")(photo, 1.7), model(photo, 1.7))

    def test_a_device_that_is_not_here_is_refused(self, saved):
        with pytest.raises(UserError, match=r"--device cuda:9 is not on this machine; allowed are auto, "):
            models.load(saved, device="cuda:9")

    def test_loading_is_not_slowed_down_by_what_torch_only_needs_to_compile(self):
        code = "import sys, brushnet; brushnet.load('starry-night'); sys.exit('sympy' in sys.modules)"
        subprocess.run([sys.executable, "-c", code], check=True)
