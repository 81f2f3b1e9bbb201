"""Python imports this at its start, where the folder is on PYTHONPATH: what befalls the trainings of a test.

BRUSHNET_TEST_RAISE     "module:function" or "module:Class.method": instead of running, it raises in rank 1
BRUSHNET_TEST_STRIKE    {"JOB": what, ...} for a Slurm job in a folder of that name, at its third step, once:
                        "kill" ends the process, "raise" raises, "wait" waits for a file `go` in the sweep's folder
BRUSHNET_TEST_UNJUDGED  what a sweep has trained is not evaluated, which takes longer than to train it
"""

import importlib
import json
import os
import signal
import time
from pathlib import Path

STEP = 2


def _raise(*args, **kwargs):
    raise ZeroDivisionError("rank 1 was told to")


def _replace(what, by):
    module, name = what.split(":")
    *owners, name = name.split(".")
    owner = importlib.import_module(module)
    for each in owners:
        owner = getattr(owner, each)
    original = getattr(owner, name)
    setattr(owner, name, by)
    return original


def _strike(step, strikes):
    def training_step(self, *args, **kwargs):
        folder = Path(self.trainer.default_root_dir)
        what, struck = strikes.get(folder.name), folder / "struck"
        if what and self.batches_done == STEP and not struck.exists():
            struck.touch()
            if what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "raise":
                raise ZeroDivisionError("the job was told to")
            while not (folder.parent / "go").exists():
                time.sleep(0.1)
        return step(self, *args, **kwargs)

    return training_step


if "BRUSHNET_TEST_RAISE" in os.environ and "1" in (os.environ.get("LOCAL_RANK"), os.environ.get("SLURM_PROCID")):
    _replace(os.environ["BRUSHNET_TEST_RAISE"], _raise)
if "SLURM_PROCID" in os.environ and "BRUSHNET_TEST_STRIKE" in os.environ:
    from brushnet.training.module import StyleTraining

    StyleTraining.training_step = _strike(StyleTraining.training_step, json.loads(os.environ["BRUSHNET_TEST_STRIKE"]))
if "BRUSHNET_TEST_UNJUDGED" in os.environ:
    _replace("brushnet.commands.swept_job:SweptJob._evaluate", lambda *args: None)
