"""What is done to a painting before it is written: first its colours, then its strength.

Both see photo and painting only, so they serve every network and stroke scale. Options are read without torch.
"""

from typing import TYPE_CHECKING

from brushnet.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

STRONGEST = 1.5
COLOURS = ("luminance", "histogram")


def finish(
    photo_B3HW: "Tensor", painting_B3HW: "Tensor", *, strength: float = 1.0, preserve_colour: str | None = None
) -> "Tensor":
    """The painting with the photo's colours, if `preserve_colour` names a way, and as strong as `strength` says.

    In this order: at strength 0 the photo comes back whatever the colours, and in between they are the photo's too.
    With the defaults the painting itself. On the painting's device; neither picture is written to.
    """
    from brushnet.inference.colour import WAYS
    from brushnet.inference.strength import at_strength

    check_strength(strength)
    check_colour(preserve_colour)
    if photo_B3HW.shape != painting_B3HW.shape:
        raise UserError(
            f"photo and painting must be of one shape, got {tuple(photo_B3HW.shape)} and {tuple(painting_B3HW.shape)}"
        )
    photo = photo_B3HW.to(painting_B3HW)
    painting = painting_B3HW if preserve_colour is None else WAYS[preserve_colour](photo, painting_B3HW)
    return at_strength(photo, painting, strength)


def parse_strength(text: str) -> float:
    """For `--strength`. UserError names the option, the value and what is allowed."""
    try:
        strength = float(text)
    except ValueError:
        raise UserError(_strength_message(repr(text))) from None
    check_strength(strength)
    return strength


def parse_colour(text: str) -> str:
    """For `--preserve-colour`, as `parse_strength`."""
    check_colour(text)
    return text


def check_strength(strength: float) -> None:
    """UserError for what is no strength; NaN is none."""
    if not isinstance(strength, (int, float)):
        raise UserError(_strength_message(repr(strength)))
    if not 0 <= strength <= STRONGEST:
        raise UserError(_strength_message(f"{strength:g}"))


def check_colour(preserve_colour: str | None) -> None:
    """UserError for what is no way to preserve colour. It may be a picture: the option takes the word that follows."""
    if preserve_colour is not None and preserve_colour not in COLOURS:
        raise UserError(
            f"--preserve-colour must be {' or '.join(COLOURS)}, got {preserve_colour!r}; "
            "before a model or picture write --preserve-colour=luminance"
        )


def _strength_message(got: str) -> str:
    return f"--strength must be a number from 0 (the photo) to {STRONGEST:g}, 1 is the painting; got {got}"
