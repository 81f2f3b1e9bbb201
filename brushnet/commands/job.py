"""One training job inside Hydra: its folder, and what is said and left behind when it fails."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from brushnet.commands.failure import record, report
from brushnet.config.schema import Config
from brushnet.errors import Stopped, UserError


@dataclass(frozen=True)
class Job:
    """Called by Hydra with the composed options; picklable, so that launchers can send it elsewhere."""

    cfg: Config | None  # None in a sweep: there Hydra composes each job's own
    resume_from: Path | None
    allow_pipe: bool
    debug: bool

    def __call__(self, composed: Any) -> int:
        """Exit code. Failures are reported here, where Hydra's log file is open and its own long reports are not."""
        from hydra.core.hydra_config import HydraConfig

        out_dir = Path(HydraConfig.get().runtime.output_dir)
        try:
            self._train(composed, out_dir)
        except (Exception, KeyboardInterrupt) as error:
            record(error)
            code = report(error, debug=self.debug)
            if isinstance(error, UserError | KeyboardInterrupt) and self.resume_from is None and rank() == 0:
                _remove_unused(out_dir)
            if code == Stopped.exit_code and self.cfg is None:
                raise KeyboardInterrupt from error  # ends the whole sweep; Hydra would go on with the next job
            return code
        return 0

    def _train(self, composed: Any, out_dir: Path) -> None:
        from brushnet.config.typed import to_config

        cfg = self.cfg or to_config(composed)
        if self.cfg is None and holds_run(out_dir):
            raise UserError(f"{out_dir} already holds a run: hydra.sweep.dir=DIR starts another sweep")
        from brushnet import build  # torch, seconds: after all that can be refused without it

        build.train(cfg, out_dir, resume_from=self.resume_from, allow_pipe=self.allow_pipe)


def holds_run(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("config.yaml", "checkpoints", "model.safetensors"))


def rank() -> int:
    """Number of this process in a run on several devices; known before torch is: from Lightning, torchrun or Slurm."""
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        if os.environ.get(name, "").isdigit():
            return int(os.environ[name])
    return 0


def _remove_unused(out_dir: Path) -> None:
    """A request that was refused leaves nothing behind: nothing but Hydra's log is in the folder yet."""
    if [path.name for path in out_dir.iterdir()] == ["train.log"]:
        (out_dir / "train.log").unlink()
        out_dir.rmdir()
