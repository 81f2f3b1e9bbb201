"""Every option of a run: its type, default, unit, range and help text. YAML files hold values only."""
# ruff: noqa: RUF009  (`option` and `section` are dataclasses.field with a Rule: called once per field by design)

from collections.abc import Iterator
from dataclasses import Field, dataclass, field, fields, is_dataclass
from typing import Any


@dataclass(frozen=True)
class Rule:
    """What one option means and which values it takes; bounds are inclusive but for `above` and `below`."""

    help: str
    unit: str = ""
    min: float | None = None
    max: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    common: bool = False  # shown by `brushnet train --help`
    path: bool = False  # "~" is expanded: shells leave it alone in `data.path=~/photos`

    def allowed(self) -> str:
        """The values that are allowed, in words: "at least 1 and at most 8", "one of csv, wandb"."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        bounds = {"at least": self.min, "above": self.above, "at most": self.max, "below": self.below}
        return " and ".join(f"{word} {bound:g}" for word, bound in bounds.items() if bound is not None)


def option(default: Any, help: str, **rule: Any) -> Any:
    """A dataclass field that carries its Rule; a list default is copied for each instance."""
    metadata = {"rule": Rule(help, **rule)}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class LayerWeight:
    """One layer of the loss network and its weight among the layers of its list."""

    name: str = option("relu3_1", "layer of the loss network, reluBLOCK_CONV")
    weight: float = option(1.0, "weight of the layer", above=0)


def layers(*names: str) -> list[LayerWeight]:
    return [LayerWeight(name) for name in names]


@dataclass
class NetOptions:
    """The residual transformer network."""

    width: int = option(16, "channels after the first conv; the trunk has four times as many", min=4, max=256,
                        unit="channels", common=True)  # fmt: skip
    blocks: int = option(5, "residual blocks of the trunk", min=1, max=32)
    stroke_embedding: int = option(64, "size of the embedding of log2 s", min=4, max=1024, unit="channels")
    # Figures beside `trunk` in the README: what it takes.
    trunk: str = option("scaled", "resolution of the blocks: scaled with the stroke, or plain, one at any s",
                        choices=("scaled", "plain"))  # fmt: skip
    trunk_px: float = option(8.0, "photo pixels to a position of the trunk at s = 1", unit="px", min=2, max=32)
    ends: str = option("patch", "full: convolutions at full resolution, as in the paper; patch: from and to patches",
                       choices=("full", "patch"))  # fmt: skip


@dataclass
class LossnetOptions:
    """The frozen loss network."""

    weights: str = option("auto", "auto, compact (embedded), torchvision (downloaded once), or a weight FILE",
                          common=True, path=True)  # fmt: skip
    arch: str = option("vgg19", "architecture; a weight file brings its own", choices=("vgg16", "vgg19"))


@dataclass
class LossOptions:
    """What is minimised: content, style over layers and pyramid levels, total variation."""

    statistic: str = option("covariance", "style statistic: centred Gram, or the classic one",
                            choices=("covariance", "gram"))  # fmt: skip
    style_layers: list[LayerWeight] = option(layers("relu1_1", "relu2_1", "relu3_1"), "style layers, {name, weight}",
                                             common=True)  # fmt: skip
    content_layers: list[LayerWeight] = option(layers("relu3_1"), "content layers, {name, weight}")
    # By eye and figures (starry-night, VGG-19, 450 to 1300 steps at 128 px): compared at half resolution the photo
    # pins the strokes down, and either it or the control is lost; at a quarter both stay.
    content_level: int = option(2, "pyramid level at which content is compared: 0 full size, 1 half, ...",
                                min=0, max=6)  # fmt: skip
    content_follows_stroke: bool = option(
        True, "content is compared at a level coarser by log2 s: as the brush sees it"
    )
    content_weight: float = option(1.0, "weight of the content term", min=0)
    style_weight: float = option(0.6, "weight of the style term", min=0, common=True)
    mean_weight: float = option(0.3, "weight of the feature means within the style term", min=0)
    # By figures (starry-night, crops of 128 px, four photos at 512 px): without it the spread over photos is 0.62
    # octave after 1500 steps; with 0.1 it is 0.29 after 3338 steps, and 0.19 after 1500 with a style weight of 1.
    spectrum_weight: float = option(0.1, "weight of the energies of octave bands of the picture itself", min=0)
    # By eye and figures (starry-night, net=quick, 600 steps, at s = 1): without it two thirds of the differences of
    # neighbouring pixels alternate (0.69), a woven pattern, with it a quarter (0.24), as in photos. Style loss 0.88 and
    # content loss 0.46 with and without by the compact network; by VGG-19, which sees the pattern, its Gram matrix of
    # relu2_2 is off by 0.06 in place of 0.27.
    grid_weight: float = option(1.0, "weight of patterns that repeat with the network's grid, of 2, 4 or 8 px", min=0)
    tv_weight: float = option(0.01, "weight of total variation", min=0)
    pyramid_levels: int = option(3, "image pyramid of the style term; more levels see larger strokes", min=1, max=6)


@dataclass
class StrokeOptions:
    """The trained range of the stroke scale s."""

    mode: str = option("conditioned", "conditioned: the network is told s; mixed: random s, untold; fixed: one s",
                       choices=("conditioned", "mixed", "fixed"), common=True)  # fmt: skip
    min: float = option(0.35, "smallest stroke scale", unit="s", min=0.05, max=20, common=True)
    max: float = option(2.8, "largest stroke scale", unit="s", min=0.05, max=20, common=True)
    # A scaled trunk paints the samples of one scale together: as many as trainer.batch_size is one pass a step, and
    # times trainer.devices all devices take equally long.
    group: int = option(1, "consecutive samples that share one s", unit="samples", min=1, max=65536)
    spread: bool = option(False, "scales that cover the range evenly from group to group; off: independent draws")


@dataclass
class StyleOptions:
    """The paintings and how style targets are made of them."""

    files: list[str] = option(["sample:painted-small"], "paintings: files, or sample:NAME", common=True,
                              path=True)  # fmt: skip
    base: str | None = option(None, "trained model to which style.files are added: experiment=add_style",
                              common=True, path=True)  # fmt: skip
    reference_px: int = option(256, "short side of the painting at s = 1", unit="px", min=32, max=4096, common=True)
    # The bank, by figures (scripts/compare_targets.py; VGG-19, 128 px crops, starry-night and great-wave, mean squared
    # distance to the statistics of the whole painting over its energy): a crop is off by 0.1, 0.3 to 0.5 and 0.5 to 0.8
    # at s = 0.5, 1 and 2, the bank halfway between two grid points by 0.01 to 0.02, 0.003 to 0.004 and 0.001.
    # Control after 450 steps (starry-night; scale matched by the loss's own statistics): mean error 0.22 octave with
    # the bank and 0.35 with crops, slope 0.69 and 0.73, style loss at s = 1 on held-out photos 1.51 and 2.39.
    target: str = option("bank", "bank: statistics of the whole painting on a grid of scales; crop: of each crop",
                         choices=("bank", "crop"))  # fmt: skip
    bank_step_octaves: float = option(0.25, "grid step of the bank", unit="octaves", min=0.01, max=1)


@dataclass
class DataOptions:
    """The content photos."""

    path: str = option("sample:shards", "folder of photos or shards, tars, globs, braces, https://; joined by ::",
                       common=True, path=True)  # fmt: skip
    val_path: str | None = option(None, "validation photos; null: 2 % of data.path, by hash", path=True)
    source: str = option("auto", "what data.path holds", choices=("auto", "folder", "shards"))
    workers: int = option(-1, "loader processes; -1: chosen for this machine", min=-1, max=256)
    val_photos: int = option(16, "validation photos in use, at most", min=1, max=10_000)
    cache_dir: str | None = option(None, "where remote shards are kept; null: $BRUSHNET_CACHE or ~/.cache/brushnet",
                                    path=True)  # fmt: skip
    decoded_mb: int | None = option(None, "memory for decoded photos, so that none is decoded twice; null: as much as "
                                    "all of them take, if a quarter of what is free; 0: none",
                                    unit="MB", min=0, max=10_000_000)  # fmt: skip
    # Real collections have a few bad photos in a thousand. A quarter is more likely a lost disk or the wrong folder,
    # and fewer photos are still worth training on.
    max_bad_fraction: float = option(0.25, "photos that may be bad before training stops; 1: all", min=0, max=1)


@dataclass
class TrainerOptions:
    """How long, how large, how fast, on what."""

    max_steps: int = option(2000, "steps to train", min=1, max=100_000_000, unit="steps", common=True)
    max_time: str | None = option(None, "time to train, dd:hh:mm:ss; with max_steps: whichever ends first", common=True)
    batch_size: int = option(4, "photos per step and device", min=1, max=4096, common=True)
    crop_px: int = option(128, "side of the photo crops", unit="px", min=16, max=4096, common=True)
    learning_rate: float = option(3e-3, "peak learning rate of Adam", above=0, max=1)
    schedule: str = option("cosine", "shape of the learning rate", choices=("cosine", "one-cycle"))
    warmup_steps: int = option(50, "steps of linear warm-up", unit="steps", min=0, max=1_000_000)
    gradient_clip: float = option(1.0, "largest gradient norm; 0: no clipping", min=0)
    ema_decay: float = option(0.99, "decay per step of the averaged weights, which are the ones saved", min=0, below=1)
    # bf16 by figures (a CPU with avx512_bf16, compact loss network, before loss.grid_weight): 1.22 times as many images
    # in the same time, and after 600 steps a val/loss of 1.36 beside 1.39 of 32-true.
    precision: str = option("auto", "arithmetic of network and loss network; auto: bf16 where the device has it "
                            "(32-true on CUDA: convolutions in TF32, as PyTorch does them)",
                            choices=("auto", "32-true", "bf16-mixed"))  # fmt: skip
    accelerator: str = option("auto", "device kind", choices=("auto", "cpu", "gpu", "mps"), common=True)
    devices: int = option(1, "devices, trained in parallel (DDP)", min=1, max=1024, common=True)
    compile: bool = option(False, "torch.compile network and loss: takes minutes to begin")
    channels_last: bool = option(True, "memory format of the convolutions")
    checkpoint_every_steps: int = option(500, "steps between checkpoints", unit="steps", min=1)
    checkpoint_every_minutes: float | None = option(10.0, "largest time between checkpoints; null: by steps alone",
                                                    unit="minutes", above=0)  # fmt: skip
    keep_checkpoints: int = option(2, "newest checkpoints kept; the next one counts where the newest is damaged",
                                   min=1, max=1000)  # fmt: skip
    validate_every_steps: int = option(200, "steps between validations", unit="steps", min=1)
    sample_every_steps: int = option(500, "steps between sample grids", unit="steps", min=1)
    log_every_steps: int = option(10, "steps between rows of metrics.csv", unit="steps", min=1)
    evaluate: bool = option(False, "judge the trained model on its validation photos; jobs of a sweep always are")
    max_bad_steps: int = option(20, "non-finite steps in a row that stop the training", unit="steps", min=1)


@dataclass
class LoggerOptions:
    """Where metrics go beside metrics.csv, which is always written."""

    kind: str = option("csv", "experiment logger", choices=("csv", "wandb", "tensorboard"))
    project: str = option("brushnet", "project name at the logger")
    name: str | None = option(None, "name of the run at the logger; null: the run folder's name")
    group: str | None = option(None, "group of runs at wandb; null: in a sweep its folder's name")


def section(kind: type) -> Any:
    return field(default_factory=kind, metadata={"rule": Rule(kind.__doc__ or "")})


@dataclass
class Config:
    """A whole run."""

    net: NetOptions = section(NetOptions)
    lossnet: LossnetOptions = section(LossnetOptions)
    loss: LossOptions = section(LossOptions)
    stroke: StrokeOptions = section(StrokeOptions)
    style: StyleOptions = section(StyleOptions)
    data: DataOptions = section(DataOptions)
    trainer: TrainerOptions = section(TrainerOptions)
    logger: LoggerOptions = section(LoggerOptions)
    seed: int = option(0, "seed of every random draw", min=0, max=2**63 - 1, common=True)
    resume: str | None = option(None, "run folder or checkpoint to continue", common=True, path=True)
    fork: str | None = option(None, "model whose weights a new run starts from: a name, a file or a run; see --fork",
                              common=True, path=True)  # fmt: skip


def options(node: Any = Config, prefix: str = "") -> Iterator[tuple[str, Field[Any], Any]]:
    """Every option below a section (a dataclass or an instance of one): (full key, its field, its value or None)."""
    for each in fields(node):
        key = prefix + each.name
        value = None if isinstance(node, type) else getattr(node, each.name)
        nested = each.type if isinstance(node, type) else value
        if is_dataclass(nested):
            yield from options(nested, f"{key}.")
        else:
            yield key, each, value


def rule_of(each: Field[Any]) -> Rule:
    return each.metadata["rule"]
