import pytest

from brushnet.errors import UserError
from brushnet.training.cluster import check_cluster

TWO_TASKS = {"SLURM_NTASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "1", "SLURM_STEP_ID": "0"}
SALLOC = {"SLURM_JOB_NAME": "interactive", "SLURM_NTASKS": "2"}


def without(environment, key):
    return {name: value for name, value in environment.items() if name != key}


@pytest.mark.parametrize(
    ("devices", "environment"),
    [
        (1, {}),
        (2, {}),
        (2, {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "2"}),
        (2, {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "2", "SLURM_NTASKS": "1"}),
        (2, TWO_TASKS),
        (1, {"SLURM_NTASKS": "1", "SLURM_NNODES": "1"}),
        (2, {"SLURM_NNODES": "1", "SLURM_JOB_NAME": "wrap"}),  # sbatch --cpus-per-task=2: Lightning starts both
        (2, SALLOC),
        (2, SALLOC | {"SLURM_STEP_NUM_TASKS": "1"}),
    ],
)
def test_as_many_processes_as_devices_are_right(devices, environment):
    check_cluster(devices, environment)


@pytest.mark.parametrize(
    ("devices", "environment", "message"),
    [
        (1, {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "2"}, r"trainer\.devices .* torchrun's processes, 2, got 1"),
        (2, {"TORCHELASTIC_RUN_ID": "a", "WORLD_SIZE": "1"}, r"1, got 2: torchrun .*--nproc-per-node=2"),
        (1, TWO_TASKS, r"trainer\.devices .* Slurm's tasks, 2, got 1: srun --nodes=1 --ntasks-per-node=1"),
        (2, {"SLURM_NTASKS": "1"}, r"trainer\.devices .* Slurm's tasks, 1, got 2: srun --nodes=1 --ntasks-per-node=2"),
        (2, TWO_TASKS | {"SLURM_NNODES": "2"}, r"one node, Slurm gave it 2"),
        (2, without(TWO_TASKS, "SLURM_NTASKS_PER_NODE"), r"--ntasks=2 does not say .*: srun .*--ntasks-per-node=2"),
        (2, without(TWO_TASKS, "SLURM_STEP_ID"), r"2 tasks and none was started by srun: srun"),
        (2, SALLOC | {"SLURM_STEP_NUM_TASKS": "2"}, r"2 tasks in a job called interactive.*--job-name=brushnet"),
    ],
)
def test_another_number_is_refused(devices, environment, message):
    with pytest.raises(UserError, match=message):
        check_cluster(devices, environment)
