"""What Slurm's commands say of jobs, and what they are told."""

import logging
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

log = logging.getLogger(__name__)

COMMAND_SECONDS = 60.0
SILENT = ("COMPLETED", "RUNNING", "PENDING", "")  # states of a job that has ended; accounts may be late, or not kept


@dataclass(frozen=True)
class End:
    """How Slurm says that a job ended: a state, and its exit code and signal."""

    state: str
    code: int
    signal: int

    @property
    def could_tell(self) -> bool:
        """Whether it may have left its codes, so that they are worth waiting for. (RUNNING: accounts are late.)"""
        return self.state in SILENT or (self.state == "FAILED" and self.code in (1, 2, 3))

    @property
    def cause(self) -> str:
        # srun ends with the number of the signal that has ended a rank, or with 128 more. Ours end with 3 at most.
        by_signal = self.signal or (self.code % 128 if self.code > 3 and self.code % 128 <= 64 else 0)
        match self.state:
            case "OUT_OF_MEMORY":
                return "out of memory: hydra.launcher.mem_gb"
            case "TIMEOUT":
                return "out of time: hydra.launcher.timeout_min"
            case "NODE_FAIL" | "BOOT_FAIL":
                return "its node failed"
            case "FAILED" if by_signal:
                return f"killed by signal {by_signal}{', out of memory or from outside' if by_signal == 9 else ''}"
            case "FAILED":
                return f"ended with exit code {self.code}"
        if self.state in SILENT:
            return "ended without a word"
        return self.state.lower().replace("_", " ")  # cancelled, preempted, deadline


UNKNOWN = End("", 0, 0)


def cancel(ids: Sequence[str], *, at_once: bool = False) -> None:
    """Takes back what waits and asks what runs to save and end; `at_once`: Slurm ends it after its KillWait."""
    if ids and at_once:
        _ask("scancel", "--quiet", *ids)
    elif ids:
        _ask("scancel", "--quiet", "--state=PENDING", *ids)
        _ask("scancel", "--quiet", "--signal=TERM", *ids)


def living() -> set[str] | None:
    """Ids of this user's jobs that wait or run; None where Slurm does not say."""
    answer = _ask("squeue", "--noheader", "--array", f"--user={os.getuid()}", "--format=%i")
    return None if answer is None else set(answer.split())


def ends(ids: Sequence[str]) -> dict[str, End]:
    """Of those jobs that Slurm's accounts tell of."""
    from submitit.slurm.slurm import read_job_id

    arrays = ",".join(sorted({each.split("_")[0] for each in ids}))
    columns = "--format=JobID,State,ExitCode"
    answer = _ask("sacct", "--noheader", "--allocations", "--parsable2", columns, f"--jobs={arrays}") if ids else None
    found = {}
    for line in (answer or "").splitlines():
        number, state, code = line.split("|")
        status, _, by_signal = code.partition(":")
        end = End((state.split() or [""])[0], int(status), int(by_signal))  # CANCELLED by 1000
        for array, *places in read_job_id(number):  # 12_[3-5]: some that never ran
            for place in range(int(places[0]), int(places[-1]) + 1) if places else ():
                found[f"{array}_{place}"] = end
            if not places:
                found[array] = end
    return found


_unanswered: set[str] = set()  # commands of which it was said


def _ask(*command: str) -> str | None:
    """What one of Slurm's commands prints; None, and one warning, where it fails."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            start_new_session=True,  # or the terminal's Ctrl-C would end it
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        problem = str(error)
    else:
        if done.returncode == 0:
            return done.stdout
        problem = done.stderr
    if command[0] not in _unanswered:
        _unanswered.add(command[0])
        without = "; how jobs ended is not known" if command[0] == "sacct" else ""
        log.warning("%s does not answer%s: %s", command[0], without, last_line(problem))
    return None


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1].strip()
