"""Folders of studies, sound at first and then damaged, in every command that reads them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from study.results import layout
from tests.bad_inputs.case import SPACE, BadInput, Templates, copied, files, written
from tests.bad_inputs.changes import Change, as_folder, both, cut, edited, moved, overwritten, removed, updated

STUDY = "studies/study"
RESULT = "trials/0000/result.json"
POSITIONS = "trials/0000/positions/xquad_r.parquet"
EXAMPLES = "trials/0000/examples.json"
CHECKPOINT = "trials/0000/step-00000400"
CHECKPOINT_FILES = ("encoder.safetensors", "optimizer.safetensors", "progress.json")
PLACES = ("missing", "", ".", "/dev/null", "ไม่มี", "مفقود", "foo://bucket/study", "s3:/bucket", "~no-such-user/study")
LONG_PLACES = ("x" * 5000, "a\nb")
READERS = ("report", "compare", "export", "dashboard")


def _sql(statement: str) -> Change:
    def change(folder: Path) -> None:
        with sqlite3.connect(folder / layout.RECORD) as record:
            record.execute(statement)

    return change


def _all_results(content: bytes) -> Change:
    def change(folder: Path) -> None:
        for file in folder.glob("trials/*/result.json"):
            file.write_bytes(content)

    return change


RECORDS: dict[str, Change] = {
    "study.json missing": removed(layout.STUDY),
    "study.json empty": overwritten(layout.STUDY, ""),
    "study.json cut": cut(layout.STUDY),
    "study.json of zeros": overwritten(layout.STUDY, bytes(400)),
    "study.json in UTF-16": overwritten(layout.STUDY, "{}".encode("utf-16")),
    "study.json a list": overwritten(layout.STUDY, "[]"),
    "study.json a folder": as_folder(layout.STUDY),
    "study.json without a space": edited(layout.STUDY, lambda study: study.pop("search_space")),
    "study.json with a number as space": updated(layout.STUDY, search_space=3),
    "study.json of 3,000 brackets": overwritten(layout.STUDY, "[" * 3000),
}
NO_RESULTS: dict[str, Change] = {
    "no trial": moved("trials"),
    "trials a file": both(moved("trials"), overwritten("trials", "")),
    "all results empty": _all_results(b""),
    "all results of zeros": _all_results(bytes(300)),
}
LEFT_OUT: dict[str, Change] = {
    "a result cut": cut(RESULT),
    "a result empty": overwritten(RESULT, ""),
    "a result of zeros": overwritten(RESULT, bytes(300)),
    "a result in UTF-16": overwritten(RESULT, "{}".encode("utf-16")),
    "a result a list": overwritten(RESULT, "[1]"),
    "a result a folder": as_folder(RESULT),
    "a result without metrics": edited(RESULT, lambda result: result.pop("metrics")),
    "a result with a text as metric": edited(RESULT, lambda result: result["metrics"].update(a="สูง")),
    "a result with NaN": edited(RESULT, lambda result: result["metrics"].update(a=float("nan"))),
    "a result without its configuration": edited(RESULT, lambda result: result.pop("config")),
    "a result with a text as number": updated(RESULT, number="ศูนย์"),
    "a result with another's number": updated(RESULT, number=1),
}
FILES: dict[str, Change] = {
    "positions missing": removed(POSITIONS),
    "positions empty": overwritten(POSITIONS, ""),
    "positions cut": cut(POSITIONS),
    "positions of zeros": overwritten(POSITIONS, bytes(1000)),
    "positions a folder": as_folder(POSITIONS),
}
DATABASE: dict[str, Change] = {
    "record missing": removed(layout.RECORD),
    "record empty": overwritten(layout.RECORD, ""),
    "record cut": cut(layout.RECORD),
    "record of zeros": overwritten(layout.RECORD, bytes(8192)),
    "record a text": overwritten(layout.RECORD, "ไม่ใช่ฐานข้อมูล\n" * 400),
    "record a folder": as_folder(layout.RECORD),
    "record without a table": _sql("DROP TABLE trials"),
    "record of another version": _sql("UPDATE alembic_version SET version_num = 'v9.9.9'"),
    "record without a study": _sql("DELETE FROM studies"),
}
CANNOT_BE_OPENED = ("record of zeros", "record a text", "record a folder", "record of another version")
"""A resumed study makes a record anew that is missing."""
CHECKPOINTS: dict[str, Change] = {
    "checkpoint missing": moved(CHECKPOINT),
    "checkpoint empty": removed(*(f"{CHECKPOINT}/{name}" for name in CHECKPOINT_FILES)),
    "weights missing": removed(f"{CHECKPOINT}/encoder.safetensors"),
    "weights empty": overwritten(f"{CHECKPOINT}/encoder.safetensors", ""),
    "weights cut": cut(f"{CHECKPOINT}/encoder.safetensors"),
    "weights of zeros": overwritten(f"{CHECKPOINT}/encoder.safetensors", bytes(1000)),
    "weights of another model": overwritten(f"{CHECKPOINT}/encoder.safetensors", (2).to_bytes(8, "little") + b"{}"),
    "progress missing": removed(f"{CHECKPOINT}/progress.json"),
    "progress cut": overwritten(f"{CHECKPOINT}/progress.json", '{"step": 4'),
    "progress a list": overwritten(f"{CHECKPOINT}/progress.json", "[1]"),
    "progress with an unknown key": overwritten(f"{CHECKPOINT}/progress.json", '{"ก": 1}'),
    "progress a folder": as_folder(f"{CHECKPOINT}/progress.json"),
}


def inputs() -> Iterator[BadInput]:
    """Yield damaged studies in the commands that read them."""
    for command in READERS:
        yield from _damaged("study.json", command, RECORDS)
    for command in ("report", "compare", "export"):
        yield from _damaged("study without results", command, NO_RESULTS)
        yield from _damaged("a result", command, LEFT_OUT, warns=True)
    for command in ("report", "compare"):
        yield from _damaged("positions", command, FILES)
    yield from _damaged(
        "examples",
        "report",
        {
            "examples cut": cut(EXAMPLES),
            "examples a list": overwritten(EXAMPLES, "[1]"),
            "examples of zeros": overwritten(EXAMPLES, bytes(99)),
        },
        warns=True,
    )
    yield from _damaged("database", "dashboard", DATABASE, ("--port", "0"))
    yield from _damaged("checkpoint of a study", "export", CHECKPOINTS, ("--trial", "0", "--output", "out"))
    yield from _resumed()
    for command in READERS:
        for place in (*PLACES, *LONG_PLACES):
            yield BadInput("place of a study", f"{command} {place[:20]!r}", (command, place))


def _resumed() -> Iterator[BadInput]:
    resume = ("--resume", "--name", "study", "--storage", "studies")
    for name, change in (RECORDS | {name: DATABASE[name] for name in CANNOT_BE_OPENED}).items():
        yield BadInput("resumed study", name, ("run", *resume), _prepared(change))
    arguments: Mapping[str, tuple[str, ...]] = {
        "another space": (SPACE, "--resume", "--name", "study"),
        "a name that is nearly right": ("--resume", "--name", "stduy"),
        "a name in Thai": ("--resume", "--name", "การศึกษา"),
        "nothing there": ("--resume", "--storage", "elsewhere"),
        "storage that is a file": ("--resume", "--storage", SPACE),
        "a missing space": ("missing.yaml", "--resume", "--name", "study"),
        "a name that is taken": (SPACE, "--name", "study"),
    }
    for name, given in arguments.items():
        yield BadInput("resumed study", name, ("run", *given), with_study)


def with_study(folder: Path, templates: Templates) -> None:
    """Write a sound study, and a search space that is not its own."""
    copied(templates.study, folder / STUDY)
    files({SPACE: written()})(folder, templates)


def _damaged(
    family: str,
    command: str,
    changes: Mapping[str, Change],
    more: tuple[str, ...] = (),
    *,
    warns: bool = False,
) -> Iterator[BadInput]:
    for name, change in changes.items():
        yield BadInput(family, f"{command}: {name}", (command, STUDY, *more), _prepared(change), warns=warns)


def _prepared(change: Change) -> Callable[[Path, Templates], None]:
    def prepare(folder: Path, templates: Templates) -> None:
        change(copied(templates.study, folder / STUDY))

    return prepare
