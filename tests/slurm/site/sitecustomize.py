"""Python imports this at its start, where the folder is on PYTHONPATH: rank 1 of a training raises where it is told.

BRUSHNET_TEST_RAISE     "module:Class.function" or "module:function": instead of running, it raises in rank 1
"""

import importlib
import os


def _raise(*args, **kwargs):
    raise ZeroDivisionError("rank 1 was told to")


if "BRUSHNET_TEST_RAISE" in os.environ and "1" in (os.environ.get("LOCAL_RANK"), os.environ.get("SLURM_PROCID")):
    module, name = os.environ["BRUSHNET_TEST_RAISE"].split(":")
    *owners, name = name.split(".")
    owner = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    setattr(owner, name, _raise)
