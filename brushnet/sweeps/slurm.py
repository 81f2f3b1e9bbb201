"""Running a sweep's jobs on Slurm: one array job, waited for until each of its tasks has left the queue.

submitit submits them. Waiting is ours: Hydra's launcher raises for the first job that is killed, drops the results of
all others and leaves them running. What lives is asked of `squeue`, which every Slurm has, and how a job ended of
`sacct` only where the job could not tell.
"""

import logging
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brushnet.errors import BrushnetError, UserError
from brushnet.sweeps import slurm_queue, stop
from brushnet.sweeps.slurm_result import Result

log = logging.getLogger(__name__)

MOST_IN_ARRAY = 1000  # Slurm's own limit (MaxArraySize) unless its administrator has set another
FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 2.0, 10.0  # between two questions to Slurm; it grows with the time waited
FILE_SECONDS = 15.0  # that a shared file system may take to show what a job has written at its end
KILL_BAD_EXIT = "export SLURM_KILL_BAD_EXIT=1"  # a rank that fails ends the others, which would wait for it


@dataclass(frozen=True)
class Submitted:
    """One job of the sweep, as Slurm knows it: `id` is 12_3 in an array, `folder` where its ranks leave their codes."""

    id: str
    ranks: int
    folder: Path
    log: Path


def check(config: Any, devices: int) -> None:
    """UserError where `hydra.launcher` cannot run a job of so many `trainer.devices`, or there is no Slurm here."""
    missing = [name for name in ("sbatch", "srun", "squeue", "scancel") if shutil.which(name) is None]
    if missing:
        raise UserError(
            f"launcher=slurm needs Slurm's {missing[0]}, which is not on PATH; launcher=local and launcher=joblib run "
            "jobs on this machine"
        )
    nodes, tasks = config.hydra.launcher.nodes, config.hydra.launcher.tasks_per_node
    if nodes != 1:
        raise UserError(f"hydra.launcher.nodes must be 1, as a job trains on one node, got {nodes}")
    if tasks != devices:
        raise UserError(
            "hydra.launcher.tasks_per_node must be trainer.devices, one process for each device, got "
            f"{tasks} and {devices}"
        )


def launch(job_overrides: Sequence[Sequence[str]], *, hydra_context: Any, config: Any, task: Any) -> dict[int, str]:
    """Runs a job for each list of overrides and waits for all. Returns what ended those that could not tell, by place.

    A signal asks the running ones to save and end and takes the others back; it is for `stop.asked` to tell of that.
    BrushnetError where Slurm takes none.
    """
    sweep_dir = Path(str(config.hydra.sweep.dir))
    jobs: list[Submitted] = []
    with stop.marked(sweep_dir):
        try:
            for start in range(0, len(job_overrides), MOST_IN_ARRAY):
                if stop.asked(sweep_dir):
                    break
                some = job_overrides[start : start + MOST_IN_ARRAY]
                jobs += _submit(some, start, hydra_context, config, task)
            return _wait(jobs, sweep_dir)
        except BaseException:
            _cancel(jobs, at_once=True)  # nobody would look after them
            raise


def _submit(some: Sequence[Sequence[str]], start: int, hydra_context: Any, config: Any, task: Any) -> list[Submitted]:
    import submitit
    from hydra.core.singleton import Singleton
    from omegaconf import OmegaConf
    from submitit.core.utils import FailedSubmissionError

    from brushnet.sweeps.slurm_task import SlurmTask

    params: Any = OmegaConf.to_container(config.hydra.launcher, resolve=True)
    params.pop("_target_")
    setup = params.pop("setup") or []
    function = SlurmTask(**params)
    function.setup(hydra_context=hydra_context, task_function=task, config=config)
    executor = _executor({**params, "setup": [*(each for each in setup if each != KILL_BAD_EXIT), KILL_BAD_EXIT]})
    numbers = range(start, start + len(some))
    names = [f"job {number}" for number in numbers]
    state = [Singleton.get_state()] * len(some)
    try:
        jobs = executor.map_array(
            function, [list(each) for each in some], ["hydra.sweep.dir"] * len(some), numbers, names, state
        )
    except (FailedSubmissionError, submitit.core.utils.FailedJobError, subprocess.SubprocessError) as error:
        raise BrushnetError(f"Slurm did not take the sweep: {slurm_queue.last_line(str(error))}") from error
    log.info("Slurm job %s: %d jobs; squeue --me shows them", jobs[0].job_id.split("_")[0], len(jobs))
    return [Submitted(job.job_id, job.num_tasks, job.paths.folder, job.paths.stdout) for job in jobs]


def _executor(params: dict[str, Any]) -> Any:
    """submitit's, with the parameters of Hydra's launcher, some of which it knows by another name."""
    import submitit
    from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf
    from omegaconf import OmegaConf

    shared = set(OmegaConf.structured(BaseQueueConf).keys())
    folder, timeouts = params.pop("submitit_folder"), params.pop("max_num_timeout")
    executor = submitit.AutoExecutor(cluster="slurm", folder=folder, slurm_max_num_timeout=timeouts)
    executor.update_parameters(**{key if key in shared else f"slurm_{key}": each for key, each in params.items()})
    return executor


def _cancel(jobs: Sequence[Submitted], *, at_once: bool = False) -> None:
    slurm_queue.cancel(sorted({job.id.split("_")[0] for job in jobs}), at_once=at_once)


def _wait(jobs: Sequence[Submitted], sweep_dir: Path) -> dict[int, str]:
    waiting = Waiting(dict(enumerate(jobs)))
    began = time.monotonic()
    told = False
    while waiting.left:
        if stop.asked(sweep_dir) and not told:
            told = True
            _cancel(jobs)
        waiting.look()
        if waiting.left:
            _sleep(min(LAST_POLL_SECONDS, FIRST_POLL_SECONDS + (time.monotonic() - began) / 60), sweep_dir, told=told)
    return waiting.lost


def _sleep(seconds: float, sweep_dir: Path, *, told: bool) -> None:
    """A signal that comes meanwhile ends it."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and (told or not stop.asked(sweep_dir)):
        time.sleep(min(0.2, seconds))


@dataclass
class Waiting:
    """`left` are the jobs that may still live, by their places; `lost` says what ended those that could not tell."""

    left: dict[int, Submitted]
    lost: dict[int, str] = field(default_factory=dict)
    gone_at: dict[int, float] = field(default_factory=dict)  # since when they are in the queue no more

    def look(self) -> None:
        results = {
            place: [Result.read(Result.file(job.folder, job.id, rank)) for rank in range(job.ranks)]
            for place, job in self.left.items()
        }
        for place, found in results.items():
            if all(result is not None and result.code == 0 for result in found):
                del self.left[place]
        living = slurm_queue.living()
        if living is None:  # Slurm does not answer: it may be down for a while, and its jobs run on
            return
        gone = {place: job for place, job in self.left.items() if job.id not in living}
        self.gone_at = {place: self.gone_at.get(place, time.monotonic()) for place in gone}
        ends = slurm_queue.ends([job.id for place, job in gone.items() if None in results[place]])
        for place, job in gone.items():
            self._ended(place, job, results[place], ends.get(job.id, slurm_queue.UNKNOWN))

    def _ended(self, place: int, job: Submitted, results: Sequence[Result | None], end: slurm_queue.End) -> None:
        known = [each for each in results if each is not None]
        if len(known) < job.ranks:
            _refresh(job.folder)
            if end.could_tell and time.monotonic() - self.gone_at[place] < FILE_SECONDS:
                return
            self.lost[place] = f"{end.cause} (Slurm job {job.id}, {job.log})"
        else:
            told = [each.cause for each in known if each.cause]
            if known[0].code == 0:  # that rank knows nothing of it
                told += [f"rank {rank} ended with code {each.code}" for rank, each in enumerate(known) if each.code]
            if told:
                self.lost[place] = f"{told[0]} (Slurm job {job.id}, {job.log})"
        del self.left[place]


def _refresh(folder: Path) -> None:
    """NFS then asks the server what is in it, instead of telling what it remembers."""
    with suppress(OSError):
        folder.chmod(folder.stat().st_mode)
