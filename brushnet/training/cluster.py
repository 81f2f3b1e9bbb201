"""Who starts a training's processes: Lightning itself, torchrun or Slurm. The last two must start one for each device.

Where they do not, Lightning fails late and at length, waits for processes that nobody starts, or lets each of them
train a run of its own in one folder.
"""

import os
from collections.abc import Mapping

from brushnet.errors import UserError

# Lightning takes a Slurm job of one of these names for a shell, in which it starts the processes itself.
INTERACTIVE = ("bash", "interactive")


def check_cluster(devices: int, environment: Mapping[str, str] = os.environ) -> None:
    """UserError where torchrun or Slurm has started another number of processes than `trainer.devices`."""
    if "TORCHELASTIC_RUN_ID" in environment:
        _check_torchrun(devices, int(environment.get("WORLD_SIZE", "1")))
    elif environment.get("SLURM_JOB_NAME") in INTERACTIVE:
        _check_shell(int(environment.get("SLURM_STEP_NUM_TASKS", "1")), name=environment["SLURM_JOB_NAME"])
    elif "SLURM_NTASKS" in environment:
        _check_slurm(devices, int(environment["SLURM_NTASKS"]), environment)


def _check_torchrun(devices: int, processes: int) -> None:
    if processes != devices:
        raise UserError(
            f"trainer.devices must be the number of torchrun's processes, {processes}, got {devices}: "
            f"torchrun --standalone --nproc-per-node={devices} -m brushnet train ..."
        )


def _check_shell(tasks: int, *, name: str) -> None:
    if tasks > 1:
        raise UserError(
            f"srun started {tasks} tasks in a job called {name}, which each would train alone: "
            f"srun --job-name=brushnet --nodes=1 --ntasks-per-node={tasks} brushnet train ..."
        )


def _check_slurm(devices: int, tasks: int, environment: Mapping[str, str]) -> None:
    right = f"srun --nodes=1 --ntasks-per-node={devices} brushnet train ..."
    nodes = int(environment.get("SLURM_NNODES", "1"))
    if nodes != 1:
        raise UserError(f"a training takes one node, Slurm gave it {nodes}: {right}")
    if tasks != devices:
        raise UserError(f"trainer.devices must be the number of Slurm's tasks, {tasks}, got {devices}: {right}")
    if tasks > 1 and "SLURM_NTASKS_PER_NODE" not in environment:  # Lightning reads no other
        raise UserError(f"--ntasks={tasks} does not say that the tasks share a node: {right}")
    if tasks > 1 and "SLURM_STEP_ID" not in environment:
        raise UserError(f"Slurm gave {tasks} tasks and none was started by srun: {right}")
