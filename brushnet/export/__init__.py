"""Models for other programs: ONNX, torch.export and our own file, checked against the network before they are written.

Imports nothing heavy by itself, so that options fail fast.
"""

from brushnet.export.write import export as export
