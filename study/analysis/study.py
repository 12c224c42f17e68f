"""A study as its folder tells it: the search space, the results of its trials, and their positions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from study.analysis.leaderboard import Result
from study.results import files, layout
from study.space import study_config
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
        return study_config.parse(self.description["search_space"], self.description["name"]).objectives[0].metric

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Every benchmark that some trial was measured on."""
        return tuple(sorted({name for result in self.results for name in result["benchmarks"]}))

    def positions(self, number: int, benchmark: str) -> pa.Table:
        """Return a trial's positions of the relevant passages (`tasks.scoring.POSITIONS`)."""
        return files.read_table(layout.positions_file(layout.trial_folder(self.folder, number), benchmark))

    def attachment(self, number: int, name: str) -> Any:
        """Return a further JSON file of a trial; None where it has none."""
        path = files.join(layout.trial_folder(self.folder, number), name)
        return files.read_json(path) if files.exists(path) else None


def read_study(folder: str) -> Study:
    """Read a study from its folder or URI.

    Raises:
        StudyError: there is no study, or none of its trials has finished.
    """
    folder = files.absolute(folder)
    record = files.join(folder, layout.STUDY)
    if not files.exists(record):
        raise StudyError(
            f"there is no study in {folder}: it has no {layout.STUDY}; give the folder that study.run named"
        )
    held = tuple(layout.finished(folder))
    if not held:
        raise StudyError(f"the study in {folder} has no finished trial yet: wait for one, or resume it")
    return Study(folder, files.read_json(record), held)
