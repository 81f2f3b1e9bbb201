"""brushnet: feed-forward style transfer whose brushstroke scale is trained, controlled and measured.

>>> model = brushnet.load("runs/starry-night/model.safetensors")  # doctest: +SKIP
>>> painted_B3HW = model(photo_B3HW, stroke=1.5)  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brushnet.models import StyleModel as StyleModel
    from brushnet.models import load as load

__all__ = ["StyleModel", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Lazy: `brushnet --help` and completion must not wait seconds for torch.
    if name in __all__:
        from brushnet import models

        return getattr(models, name)
    raise AttributeError(f"module 'brushnet' has no attribute '{name}'")
