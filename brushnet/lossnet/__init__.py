"""Frozen loss networks: a picture in, features by layer name out."""

from brushnet.lossnet.sources import choose as choose
from brushnet.lossnet.sources import load_lossnet as load_lossnet
from brushnet.lossnet.vgg import LossNetwork as LossNetwork
