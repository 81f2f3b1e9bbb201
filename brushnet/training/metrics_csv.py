"""`metrics.csv`: one row a step that was logged, appended, and cut back to the checkpoint's step on resume.

Lightning's own CSV logger deletes the file when a run goes on in its folder.
"""

import csv
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from pytorch_lightning.utilities.rank_zero import rank_zero_only


class MetricsCsv(Logger):
    """Columns are `step` and every metric seen; a new metric rewrites the header, a missing value is an empty cell."""

    def __init__(self, path: Path):
        super().__init__()
        self.path = path
        self.columns: list[str] = []
        self.last: dict[str, float] = {}
        if path.is_file():
            with path.open(newline="") as file:
                self.columns = next(csv.reader(file), [])

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
        if row == self.last:  # Lightning repeats the last metrics for a step that was skipped
            return
        self.last = row
        fresh = [name for name in row if name not in self.columns]
        if fresh:
            rows = self.rows()
            self.columns = [*self.columns, *fresh]
            self._rewrite(rows)
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow(row)

    @rank_zero_only
    def cut_after(self, step: int) -> None:
        """Drops the rows of steps after `step`: a resumed run will write them again."""
        if self.path.is_file():
            self._rewrite([row for row in self.rows() if int(row["step"]) <= step])

    def rows(self) -> list[dict[str, str]]:
        """All rows as text."""
        if not self.path.is_file():
            return []
        with self.path.open(newline="") as file:
            return [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit()]

    def _rewrite(self, rows: list[dict[str, str]]) -> None:
        temporary = self.path.with_suffix(".csv.tmp")
        with temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(rows)
        temporary.replace(self.path)
