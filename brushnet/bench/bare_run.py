"""A run of `brushnet train` with nothing but its steps: what is measured of it leaves nothing behind."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytorch_lightning as pl

from brushnet.data.module import PhotoData
from brushnet.errors import Stopped
from brushnet.training.module import StyleTraining
from brushnet.training.run import RunOptions, run

ENDLESS = 100_000_000


def run_bare(
    module: StyleTraining,
    data: PhotoData,
    options: RunOptions,
    *,
    max_steps: int,
    callbacks: Sequence[pl.Callback],
) -> None:
    """`training.run` in a folder that is thrown away, without checkpoints, validation and sample grids on the way.

    `max_steps` are what the learning rate is planned for; a callback may end it before. Raises Stopped.
    """
    module.total_steps = max_steps
    with tempfile.TemporaryDirectory(prefix="brushnet-bench-") as folder:
        bare = replace(
            options,
            out_dir=Path(folder),
            max_steps=max_steps,
            max_seconds=None,
            checkpoint_every_steps=ENDLESS,
            checkpoint_every_seconds=None,
            checkpoint_at_start=False,
            validate_every_steps=ENDLESS,
            sample_every_steps=ENDLESS,
        )
        try:
            run(module, data, bare, loggers=[], resume_from=None, callbacks=callbacks)
        except Stopped:
            raise Stopped("stopped; nothing is written") from None
