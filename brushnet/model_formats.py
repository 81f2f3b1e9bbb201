"""Files of earlier formats: what their weights are called and shaped, and how they become those of today's network.

Format 1 had one affine head for all paintings of a model and only an embedding for each; from format 2 on each painting
has a head of its own. Repeating the old head for every painting gives the same network.
"""

import math
from collections.abc import Mapping

from torch import Tensor

from brushnet.errors import UserError

STYLE, AFFINE, BIAS = "condition.style.weight", "condition.affine.weight", "condition.affine.bias"

MOST_REPEATED_VALUES = 2**28  # 1 GiB: the heads of 2,600 paintings of the slim network

Shape = tuple[int, ...]


def shapes_in(number: int, shapes: Mapping[str, Shape], *, source: str) -> dict[str, Shape]:
    """Shapes of these weights in a file of format `number`. UserError where reading it would take too much memory."""
    if number > 1:
        return dict(shapes)
    (styles, values, embedding), repeated = shapes[AFFINE], math.prod(shapes[AFFINE])
    if styles > 1 and repeated > MOST_REPEATED_VALUES:
        raise UserError(
            f"{source}: a file of format 1 whose {styles} styles would unfold to {repeated} values, at most "
            f"{MOST_REPEATED_VALUES} allowed"
        )
    return {**shapes, STYLE: (embedding, styles), AFFINE: (values, embedding, 1, 1), BIAS: (values,)}


def upgraded(number: int, weights: Mapping[str, Tensor], *, styles: int) -> dict[str, Tensor]:
    """Weights of a file of format `number` (of the shapes above) as today's network takes them."""
    if number > 1:
        return dict(weights)
    heads = weights[AFFINE][None, ..., 0, 0].repeat(styles, 1, 1)
    return {**weights, STYLE: weights[STYLE].mT, AFFINE: heads, BIAS: weights[BIAS].repeat(styles, 1)}
