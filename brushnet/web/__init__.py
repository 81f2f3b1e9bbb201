"""The demo page: a photo is painted in the visitor's own browser, from a local server or on any static host.

Imports nothing heavy by itself, so that options fail fast.
"""

import importlib.util

from brushnet.errors import UserError

PACKAGES = ("onnx", "onnxruntime")


def need_packages() -> None:
    """UserError where the extra is missing that the page's models are made with."""
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"{' and '.join(missing)} must be installed for the demo: pip install 'brushnet[export]'")
