"""One job of a sweep, in whatever process a launcher runs it: trained, judged, and its outcome left in its folder."""

import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from brushnet.checkpoints.run_folder import locate
from brushnet.commands.alone import alone_in
from brushnet.commands.command_line import command_line
from brushnet.commands.failure import explain, record, report
from brushnet.commands.job import LOG_NAME, rank
from brushnet.config.overrides import keys
from brushnet.errors import BrushnetError, Stopped
from brushnet.stop_signals import ending
from brushnet.sweeps import gpu, outcome, stop
from brushnet.sweeps.outcome import Outcome
from brushnet.training.cluster import check_cluster

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweptJob:
    """Called by Hydra with a job's composed options; picklable. `kind` is the launcher's: local, joblib or slurm.

    An unfinished run in the job's folder is continued: the job was killed, stopped, or requeued by Slurm.
    """

    sweep_dir: Path
    kind: str
    allow_pipe: bool
    debug: bool
    config_dir: Path | None = None
    gpus: tuple[str, ...] = ()  # of which each process takes one

    def __call__(self, composed: Any) -> int:
        """Exit code; what went wrong is in the folder's `train.log` and `job.json` by then."""
        from hydra.core.hydra_config import HydraConfig

        if stop.asked(self.sweep_dir):
            return Stopped.exit_code
        out_dir = Path(HydraConfig.get().runtime.output_dir)
        if self.kind == "joblib":
            with stop.watched(self.sweep_dir):
                return self._recorded(composed, out_dir)
        with ending():
            return self._recorded(composed, out_dir)

    def _recorded(self, composed: Any, out_dir: Path) -> int:
        if rank() > 0:  # with the first one, which tells
            return self._ended(composed, out_dir)[0]
        started = time.monotonic()
        try:
            with alone_in(out_dir, log_name=LOG_NAME):
                before = outcome.read(out_dir)
                running = Outcome(outcome.RUNNING, attempts=before.attempts + 1 if before else 1)
                outcome.write(running, out_dir)
                code, cause = self._ended(composed, out_dir)
                state = {0: outcome.FINISHED, Stopped.exit_code: outcome.STOPPED}.get(code, outcome.FAILED)
                seconds = round(time.monotonic() - started, 2)
                outcome.write(replace(running, state=state, cause=cause, seconds=seconds, code=code), out_dir)
                log.info("%s: %s after %.0f s", out_dir.name, state, seconds)
        except BrushnetError as error:  # another process trains there: that one writes the outcome
            return report(error, debug=self.debug)
        if state == outcome.STOPPED and self.kind != "slurm":  # there a job may be stopped to make room, and come back
            stop.ask(self.sweep_dir)
            if self.kind == "local":
                raise KeyboardInterrupt  # ends the whole sweep; Hydra would go on with the next job
        return code

    def _ended(self, composed: Any, out_dir: Path) -> tuple[int, str]:
        """Exit code and, where it is not 0, why."""
        try:
            self._train(composed, out_dir)
        except (Exception, KeyboardInterrupt) as error:
            record(error)
            told = isinstance(error, Stopped) and rank() > 0  # by rank 0, which stops with this one
            code = Stopped.exit_code if told else report(error, debug=self.debug)
            return code, explain(error)[0].removeprefix("brushnet: ").removeprefix("error: ")
        return 0, ""

    def _train(self, composed: Any, out_dir: Path) -> None:
        from hydra.core.hydra_config import HydraConfig

        from brushnet.config.typed import to_config

        cfg = to_config(composed)
        overrides = HydraConfig.get().overrides.task
        checkpoint = locate(str(out_dir))[1] if (out_dir / "config.yaml").is_file() else None
        check_cluster(cfg.trainer.devices)
        gpu.take_one(self.gpus, self.sweep_dir)
        from brushnet import build  # torch, seconds: after all that can be refused without it

        self._check_stop()
        build.train(
            cfg,
            out_dir,
            resume_from=checkpoint,
            allow_pipe=self.allow_pipe,
            command=command_line(overrides, config_dir=self.config_dir, allow_pipe=self.allow_pipe),
            given=keys(overrides),
        )
        if rank() == 0:
            self._evaluate(cfg, out_dir)

    def _evaluate(self, cfg: Any, out_dir: Path) -> None:
        """What cannot be judged is trained all the same; `brushnet report` tries again."""
        from brushnet import build

        try:
            build.evaluate_run(
                cfg, out_dir, allow_pipe=self.allow_pipe, progress=lambda done, total: self._check_stop()
            )
        except Stopped:
            raise
        except BrushnetError as error:
            log.warning("%s is trained, but could not be evaluated: %s", out_dir.name, error)

    def _check_stop(self) -> None:
        if stop.asked(self.sweep_dir):
            raise Stopped("the sweep was stopped")
