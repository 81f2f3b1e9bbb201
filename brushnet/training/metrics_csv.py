"""`metrics.csv`: one row a step that was logged, appended, and cut back to the checkpoint's step on resume.

Lightning's own CSV logger deletes the file when a run goes on in its folder.
"""

import csv
import io
import re
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from pytorch_lightning.utilities.rank_zero import rank_zero_only

from brushnet import files

_STEP = re.compile("[0-9]{1,15}")


class MetricsCsv(Logger):
    """Columns are `step` and every metric seen; a new metric rewrites the header, a missing value is an empty cell."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.columns: list[str] = []
        self.written = 0
        if path.is_file():
            with path.open(newline="", encoding="utf-8", errors="replace") as file:
                self.columns = list(dict.fromkeys(_cells(file.readline())))
            self.written = len(self.rows())

    @property
    def name(self) -> str:
        return "csv"

    @property
    def version(self) -> str:
        return ""

    @property
    @rank_zero_experiment
    def experiment(self) -> "MetricsCsv":
        return self

    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """The run's configuration lies beside this file."""

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        row = {"step": step or 0} | {name: value for name, value in metrics.items() if name != "epoch"}
        fresh = [name for name in row if name not in self.columns]
        if fresh:
            rows = self.rows()
            self.columns = [*self.columns, *fresh]
            self._rewrite(rows)
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(row)
        self.written += 1

    @rank_zero_only
    def start_over(self) -> None:
        """Drops all rows: a run that begins has none, though one that saved nothing may have left some here."""
        self.path.unlink(missing_ok=True)
        self.columns, self.written = [], 0

    @rank_zero_only
    def cut_after(self, step: int, *, rows: int | None) -> None:
        """Keeps the first `rows`, none of a step after `step`: a resumed run will write the others again.

        The step alone does not tell: where steps are skipped as not finite, several rows are of one step.
        """
        if self.path.is_file():
            kept = [row for row in self.rows()[:rows] if int(row["step"]) <= step]
            self._rewrite(kept)
            self.written = len(kept)

    @rank_zero_only
    def sync(self) -> None:
        """Flush to the disk what was written."""
        if self.path.is_file():
            files.sync(self.path)

    def rows(self) -> list[dict[str, str]]:
        """All whole rows as text; a full disk may have cut the last line short, and a stranger may have written any."""
        if not self.path.is_file():
            return []
        with self.path.open(newline="", encoding="utf-8", errors="replace") as file:
            lines = [line for line in file if line.endswith("\n")]
        found = [dict(zip(self.columns, _cells(line), strict=False)) for line in lines[1:]]
        return [row for row in found if _STEP.fullmatch(row.get("step", ""))]

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, self.columns)
        writer.writeheader()
        writer.writerows(rows)
        files.write_whole(self.path, text.getvalue().encode())


def _cells(line: str) -> list[str]:
    """Of one row; none where it is no CSV. Row by row: a stray quote costs its own row alone."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []
