"""A study as its folder tells it: the search space, the results of its trials, and their positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from study import results, search_space, storage
from study.analysis.leaderboard import Result
from tasks.errors import UserError


class StudyError(UserError):
    """A study that cannot be read or compared, in one sentence that says what to do."""


@dataclass(frozen=True)
class Study:
    """Everything a report is made of, but for the positions, which are read as they are needed."""

    folder: str
    description: dict[str, Any]
    """What `study.json` holds."""
    results: tuple[Result, ...]
    """Of the finished trials, by number."""

    @property
    def name(self) -> str:
        """The folder's name, which tells apart two runs of one search space."""
        return self.folder.rstrip("/").rpartition("/")[2]

    @cached_property
    def objective(self) -> str:
        """The metric that trials are selected by."""
        return search_space.parse(self.description["search_space"], self.description["name"]).objectives[0].metric

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Every benchmark that some trial was measured on."""
        return tuple(sorted({name for result in self.results for name in result["benchmarks"]}))

    def positions(self, number: int, benchmark: str) -> pa.Table:
        """Return a trial's positions of the relevant passages (`tasks.scoring.POSITIONS`)."""
        return storage.read_table(results.positions_file(results.trial_folder(self.folder, number), benchmark))

    def attachment(self, number: int, name: str) -> Any:
        """Return a further JSON file of a trial; None where it has none."""
        path = storage.join(results.trial_folder(self.folder, number), name)
        return storage.read_json(path) if storage.exists(path) else None


def read_study(folder: str) -> Study:
    """Read a study from its folder or URI.

    Raises:
        StudyError: there is no study, or none of its trials has finished.
    """
    folder = storage.absolute(folder)
    record = storage.join(folder, results.STUDY)
    if not storage.exists(record):
        raise StudyError(
            f"there is no study in {folder}: it has no {results.STUDY}; give the folder that study.run named"
        )
    held = tuple(results.finished(folder))
    if not held:
        raise StudyError(f"the study in {folder} has no finished trial yet: wait for one, or resume it")
    return Study(folder, storage.read_json(record), held)
