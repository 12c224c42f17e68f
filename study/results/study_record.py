"""A study's `study.json` as a typed record: written when the study starts, never checked against today's names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pydantic

from study.config_values import Frozen
from study.results.trial_result import FORMAT_VERSION
from study.space.selection import DEFAULT_OBJECTIVE, Objective, with_direction

_PASSWORD = re.compile(r"(?<=://)([^:/@\s]*):[^@\s]*(?=@)|([?&]password=)[^&\s]*")
"""The password in a database's URL, as SQLAlchemy reads it."""


def without_password(text: str) -> str:
    """Return a database's URL, or a text with such URLs, without passwords: who may read a study need not know them."""
    return _PASSWORD.sub(lambda found: found[1] or found[2] or "", text)


class StudyRecord(Frozen):
    """The search space and objectives that a study was started with."""

    format_version: int = FORMAT_VERSION
    name: str
    """The search space's name; the study's own is that of its folder."""
    search_space: Mapping[str, Any]
    """The search space's file as it was read, without the password of its storage."""
    objectives: tuple[Objective, ...] = pydantic.Field(min_length=1)
    """Metrics that trials are selected by, the most important first."""
    id: str = ""
    """Drawn when the study was started, and stored in its Optuna study too; empty in studies of earlier versions."""
    started: str = ""
    """Local time with its offset from UTC, as in ISO 8601; empty where it is not known."""
    versions: Mapping[str, str] = {}
    """Package -> version."""
    hardware: Mapping[str, str | int] = {}
    ray_dashboard: str | None = None
    """`host:port` of Ray's dashboard while the study ran."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _add_objectives(cls, stored: Any) -> Any:
        """Derive the objectives of a study from before they were recorded; its search space was checked back then."""
        if (
            not isinstance(stored, Mapping)
            or "objectives" in stored
            or not isinstance(stored.get("search_space"), dict)
        ):
            return stored
        written = stored["search_space"].get("objective") or DEFAULT_OBJECTIVE
        several = written if isinstance(written, list) else [written]
        return {**stored, "objectives": [with_direction(objective) for objective in several]}


def parse_study(text: str | bytes) -> StudyRecord:
    """Return the record that a `study.json` holds, ignoring unknown keys.

    Raises:
        pydantic.ValidationError: the text is not JSON, or lacks what every study has.
    """
    return StudyRecord.model_validate_json(text, extra="ignore")
