"""Networks that paint: a photo, a map of stroke scales and style weights in, a painting of the same size out."""

from brushnet.nets.replay import Replays as Replays
from brushnet.nets.transformer import ResidualTransformer as ResidualTransformer
