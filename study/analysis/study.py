"""A study read from its folder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from study.analysis.same_data import check_same_data
from study.results import files, layout
from study.results.layout import StudyError
from study.results.study_record import StudyRecord
from study.results.trial_result import FailedTrial, TrialResult
from study.space.selection import Objective

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Study:
    """A study's record and the results of its trials; positions and examples are read when they are needed."""

    folder: str
    record: StudyRecord
    results: tuple[TrialResult, ...]
    """Trials that were measured, by number."""
    failed: tuple[FailedTrial, ...] = ()
    """Trials that failed, by number."""

    @property
    def name(self) -> str:
        """The folder's name, which tells two runs of one search space apart."""
        return self.folder.rstrip("/").rpartition("/")[2]

    @property
    def objective(self) -> Objective:
        """The first objective, by which trials are ranked."""
        return self.record.objectives[0]

    @property
    def seeds(self) -> int:
        """How many trials each point was to have, which differ in their seed alone: `search.seeds`."""
        search = self.record.search_space.get("search")
        return int(search.get("seeds", 1)) if isinstance(search, Mapping) else 1

    @property
    def benchmarks(self) -> tuple[str, ...]:
        """Every benchmark that some trial was measured on."""
        return tuple(sorted({name for result in self.results for name in result.benchmarks}))

    def positions(self, number: int, benchmark: str) -> pa.Table:
        """Return a trial's positions of the relevant passages (`tasks.scoring.POSITIONS`).

        Raises:
            StudyError: the file is missing or damaged.
        """
        file = layout.positions_file(layout.trial_folder(self.folder, number), benchmark)
        try:
            return files.read_table(file)
        except (OSError, pa.ArrowException) as error:
            reason = str(error).partition("\n")[0]
            raise StudyError(
                f"{file} cannot be read ({reason}): restore it, or move the folder of trial {number} elsewhere"
            ) from error

    def documents(self, benchmark: str) -> dict[str, str] | None:
        """Return what each question of a benchmark is about, as recorded by the newest trial that did.

        All trials were measured on the same questions, but older versions did not record their documents.

        Returns:
            Question id -> document; empty if all are of older versions, None if none can be read.
        """
        if benchmark not in self._documents:
            found: dict[str, str] | None = None
            for found in self._recorded_documents(benchmark):
                if found:
                    break
            self._documents[benchmark] = found
        return self._documents[benchmark]

    @cached_property
    def _documents(self) -> dict[str, dict[str, str] | None]:
        return {}

    def _recorded_documents(self, benchmark: str) -> Iterator[dict[str, str]]:
        """Yield the documents that each trial recorded, the newest trial first."""
        for result in reversed(self.results):
            file = layout.positions_file(layout.trial_folder(self.folder, result.number), benchmark)
            try:
                table = files.read_columns(file, ("query_id", "document"))
            except (OSError, pa.ArrowException):
                continue  # a damaged file is refused where its positions are read
            columns = [column.cast(pa.string()).to_pylist() for column in table.columns] if table is not None else []
            yield {question: document for question, document in zip(*columns, strict=True) if document is not None}

    def attachment(self, number: int, name: str) -> dict[str, Any]:
        """Return the object in another JSON file of a trial; empty if it has none, or none that can be read."""
        path = files.join(layout.trial_folder(self.folder, number), name)
        if not files.exists(path):
            return {}
        try:
            content = files.read_json(path)
        except (OSError, ValueError):
            content = None
        if not isinstance(content, dict):
            logger.warning("warning: %s is left out: it is not whole JSON", path)
            return {}
        return content


def read_study(folder: str) -> Study:
    """Read a study from its folder or URI.

    Raises:
        StudyError: there is no study, or its record cannot be read.
        StudyError: none of its trials was measured, or data was changed between them.
    """
    folder = files.absolute(folder)
    record = layout.read_study(folder)
    ended = layout.ended(folder)
    results = tuple(result for result in ended if isinstance(result, TrialResult))
    failed = tuple(result for result in ended if isinstance(result, FailedTrial))
    if not results:
        raise StudyError(_without_results(folder, failed))
    check_same_data(folder, results)
    return Study(folder, record, results, failed)


def _without_results(folder: str, failed: Sequence[FailedTrial]) -> str:
    """Return why there is nothing to read yet, and what to do."""
    if not failed:
        return f"the study in {folder} has no finished trial yet: wait for one, or resume it"
    which = (
        "the only trial that has ended has" if len(failed) == 1 else f"all {len(failed)} trials that have ended have"
    )
    return (
        f"the study in {folder} has no result, as {which} failed: trial {failed[0].number}: {failed[0].failed}; remove "
        "the cause and resume the study, or start a new one with another --name if its settings are the cause"
    )
