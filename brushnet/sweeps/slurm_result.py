"""What a rank of a job leaves beside its log when it ends by itself. Where there is none, it was killed."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Result:
    """`cause` is a line where a job's own folder cannot tell why it ended."""

    code: int
    cause: str = ""

    @staticmethod
    def file(folder: Path, job_id: str, rank: int) -> Path:
        return folder / f"{job_id}_{rank}.code"

    @classmethod
    def read(cls, path: Path) -> "Result | None":
        try:
            code, _, cause = path.read_text(encoding="utf-8").partition("\n")
            return cls(int(code), cause.strip())
        except (OSError, ValueError):
            return None

    def write(self, path: Path) -> None:
        path.write_text(f"{self.code}\n{self.cause}\n", encoding="utf-8")
