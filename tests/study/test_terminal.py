"""What commands print on a terminal of 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from study.analysis.study import Study
from tests.study.live_study import copy_of
from tests.study.terminal import on_terminal

PATHS = ("written: ", "ready in ")
"""Lines that begin so end in a path, which is not folded."""


def shown(module: str, *arguments: str) -> list[str]:
    text = on_terminal(80, module, *arguments)
    assert "…" not in text
    lines = text.splitlines()
    assert [line for line in lines if cell_len(line) > 80 and not line.startswith(PATHS)] == []
    return lines


def test_compare_opens_with_its_answer_and_its_figures_are_those_it_writes(
    synthetic_study: Study, tmp_path: Path
) -> None:
    folder = copy_of(synthetic_study, tmp_path)
    lines = shown("study.compare", folder)
    assert lines[0] == "study"
    assert lines[1].startswith("- ")
    text, written = "\n".join(lines), json.loads((Path(folder) / "compare.json").read_text("utf-8"))
    for comparison in written["comparisons"]:
        for figure in comparison["figures"]:
            places = 1 if figure["metric"] == "rank_distance" else 3
            assert f"{abs(figure['value']):.{places}f}" in text


def test_a_dry_run_begins_with_what_is_searched() -> None:
    lines = shown("study.run", "quickstart", "--dry-run")
    searched, takes, in_full = (
        next(number for number, line in enumerate(lines) if line.startswith(start))
        for start in ("what is searched", "a trial takes", "a trial in full")
    )
    assert searched < takes < in_full
    assert takes < 24, "on the first screen"
    data = "validation factbook: 187 questions, 935 with translations (ar, en, ru, th, zh), 9,645 passages"
    assert data in " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    ("module", "arguments", "last"),
    [
        ("study.fetch", ("factbook", "--check"), "ready in "),
        ("study.fetch", ("nonesuch",), "xquad_r, yahoo_qa"),
    ],
)
def test_tables_and_refusals_fold_between_words(module: str, arguments: tuple[str, ...], last: str) -> None:
    assert shown(module, *arguments)[-1].startswith(last)
