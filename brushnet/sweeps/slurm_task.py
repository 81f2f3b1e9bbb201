"""A sweep's job inside Slurm, as submitit calls it: on each of its ranks, and again after each requeue."""

import logging
import signal
from contextlib import suppress
from functools import partial
from pathlib import Path
from subprocess import SubprocessError
from typing import Any

from hydra_plugins.hydra_submitit_launcher.submitit_launcher import SlurmLauncher

from brushnet import stop_signals
from brushnet.errors import BrushnetError, Stopped
from brushnet.sweeps.slurm_result import Result

log = logging.getLogger(__name__)

REQUEUE = signal.SIGUSR2  # from Slurm, some time before the limit or a pre-emption (`--signal`)


class SlurmTask(SlurmLauncher):
    """Hydra's, whose jobs always end with 0: here Slurm is told the code, and after a requeue the job goes on."""

    def __call__(self, *arguments: Any) -> None:
        from submitit import JobEnvironment

        environment = JobEnvironment()
        rank = environment.global_rank
        path = Result.file(environment.paths.folder, environment.job_id, rank)
        path.unlink(missing_ok=True)  # of a time before Slurm itself has requeued the job
        requeue = signal.getsignal(REQUEUE)  # submitit's; a training puts its own in its place
        stop_signals.last_words.append(partial(_last_word, path, requeue))
        result = Result(self._code(*arguments))
        if result.code == Stopped.exit_code:
            result = Result(result.code, _requeue_if_asked(requeue))
        result.write(path)
        if result.code == Stopped.exit_code and rank > 0:
            return  # the first rank says what comes of it; another code than 0 would have Slurm end it before
        if result.code:
            raise SystemExit(result.code)  # not an exception, of which submitit would tell at length

    def _code(self, *arguments: Any) -> int:
        returned = super().__call__(*arguments)
        try:
            return int(returned.return_value)
        except Exception:  # a bug: jobs tell what went wrong by their code
            log.exception("the job raised")
            return BrushnetError.exit_code


def _requeue_if_asked(requeue: Any) -> str:
    """Does not come back (SystemExit) where the job is requeued. Else why it is not, where it should have been.

    submitit lets the first rank do it, and nothing come of it on the others.
    """
    from submitit.core.utils import UncompletedJobError

    if REQUEUE not in stop_signals.received or not callable(requeue):
        return ""
    stop_signals.ignore()  # Slurm repeats it, and ends the job as it is requeued: this has to come to its end
    try:
        requeue(REQUEUE, None)
    except (UncompletedJobError, OSError, SubprocessError) as error:
        why = str(error).removeprefix("Job not requeued because: ").rstrip(".")
        return f"stopped by Slurm and not requeued: {why} (hydra.launcher.max_num_timeout, hydra.launcher.timeout_min)"
    return ""


def _last_word(path: Path, requeue: Any) -> None:
    with suppress(SystemExit):  # the process is about to end anyway
        Result(Stopped.exit_code, _requeue_if_asked(requeue)).write(path)
