"""Each method of `brushnet baseline` as a painter: photo -> picture, with everything else bound."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from brushnet.baselines import features, moments, pyramid
from brushnet.baselines.request import Request, model_style
from brushnet.losses import LossSpec
from brushnet.lossnet import LossNetwork
from brushnet.models import StyleModel
from brushnet.strokes import Painting

METHODS = ("moments", "pyramid", "features")
TRANSFER_ITERATIONS = 60  # of `moments`, and of `pyramid` for each scale: 180 looked the same
FEATURES_ITERATIONS = 200

Progress = Callable[[int, int, str], None]  # iterations done, in all, what is being done
Painter = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Scene:
    """Everything that a request names, opened and checked."""

    request: Request
    photo: Tensor
    painting: Painting
    stroke: float
    scales: dict[float, float]
    model: StyleModel | None
    lossnet: LossNetwork
    spec: LossSpec


class Painters:
    """The methods that a request chose, counting their iterations."""

    def __init__(self, scene: Scene, progress: Progress | None):
        self.scene, self.progress = scene, progress
        self.style = scene.painting.render(1.0).to(scene.photo.device)  # without notion of scale: always S_1
        self.iterations = _iterations(scene.request)
        self.done = 0
        self.total = sum(self.iterations[name] * self._rounds(name) for name in self._names())

    def chosen(self) -> dict[str, Painter]:
        """By name, the model last where there is one."""
        every: dict[str, Painter] = {"moments": self.moments, "pyramid": self.pyramid, "features": self.features}
        found = {name: every[name] for name in self._names()}
        return {**found, "model": self.model} if self.scene.model else found

    def moments(self, photo_13HW: Tensor, *, name: str = "moments") -> Tensor:
        return moments.transfer(
            photo_13HW,
            self.style,
            lossnet=self.scene.lossnet,
            layers=list(self.scene.spec.style_layers),
            iterations=self.iterations[name],
            progress=lambda text: self._step(name, text),
        )

    def pyramid(self, photo_13HW: Tensor) -> Tensor:
        return pyramid.paint_scales(photo_13HW, self.scene.scales, lambda each: self.moments(each, name="pyramid"))

    def features(self, photo_13HW: Tensor) -> Tensor:
        return features.paint(
            photo_13HW,
            self.scene.painting,
            stroke=self.scene.stroke,
            lossnet=self.scene.lossnet,
            spec=self.scene.spec,
            iterations=self.iterations["features"],
            seed=self.scene.request.seed,
            progress=lambda text: self._step("features", text),
        )

    def model(self, photo_13HW: Tensor) -> Tensor:
        model = self.scene.model
        assert model is not None
        return model(photo_13HW, self.scene.stroke, style=model_style(model, self.scene.painting))

    def _names(self) -> tuple[str, ...]:
        method = self.scene.request.method
        return METHODS if method == "all" else (method,)

    def _rounds(self, name: str) -> int:
        return sum(weight > 0 for weight in self.scene.scales.values()) if name == "pyramid" else 1

    def _step(self, name: str, text: str) -> None:
        self.done += 1
        if self.progress:
            self.progress(self.done, self.total, f"{name}  {text}")


def _iterations(request: Request) -> dict[str, int]:
    """By method. With `all`, --iterations is that of the one that needs them."""
    asked = {"features" if request.method == "all" else request.method: request.iterations}
    usual = {"moments": TRANSFER_ITERATIONS, "pyramid": TRANSFER_ITERATIONS, "features": FEATURES_ITERATIONS}
    return {name: asked.get(name) or count for name, count in usual.items()}
