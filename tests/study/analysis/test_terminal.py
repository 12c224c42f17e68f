"""Tables on terminals of several widths: figures are whole, and nothing is replaced by an ellipsis."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from study.analysis.best_text import best_tables
from study.analysis.comparison import LEADING, compare, leading_figures
from study.analysis.curves import read_curves
from study.analysis.formats import short_names
from study.analysis.languages import heat_table
from study.analysis.leaderboard import front_table, samplings_table, trials_table
from study.analysis.pairs import choose_pairs
from study.analysis.study import Study, read_study
from study.analysis.tables import Cell, Table, languages_table, settings_table
from study.analysis.verdict import differences_table
from study.analysis.verdict import languages_table as differences_by_language
from tasks.schema import Setting
from tests.study.synthetic_study import write_study
from tests.study.trial_results import objective

WIDTHS = (80, 100, 160)
LONG = "/home/someone/with-a-long-name/projects/retrieval/models/multilingual-e5-small"
NAME = "xquad_r"


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Twenty-eight trials of fourteen settings, one backbone in a folder with a long path."""
    folder = tmp_path_factory.mktemp("studies") / "wide"
    alphas, backbones = (0, 0.125, 0.25, 0.375, 0.5, 0.75, 1), (LONG, "sentence-transformers/LaBSE")
    return read_study(write_study(folder, questions=8, alphas=alphas, backbones=backbones, examples=False))


@pytest.fixture(scope="module")
def tables(wide: Study) -> list[Table]:
    """Every table that `study.run`, `study.compare` and `study.evaluate` print."""
    comparisons, curves, best = compare(wide, choose_pairs(wide), NAME), read_curves(wide, NAME), wide.results[0]
    figure = leading_figures({NAME: comparisons})[NAME]
    assert f"{figure.setting}/{figure.metric}" == LEADING
    objectives = [wide.objective, objective(f"{NAME}/multilingual/rank_distance")]
    return [
        trials_table(wide.results, wide.objective, NAME),
        samplings_table(wide.results, wide.objective, NAME),
        front_table(wide.results, objectives),
        heat_table(best, NAME, "map"),
        settings_table(NAME, best.benchmarks[NAME]),
        languages_table(best.benchmarks[NAME]),
        *best_tables(curves, figure),
        *(differences_table(comparison) for comparison in comparisons),
        *(differences_by_language(comparison, figure) for comparison in comparisons),
    ]


def rendered(table: Table, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


@pytest.mark.parametrize("width", WIDTHS)
def test_every_cell_of_a_study_of_many_settings_is_whole(tables: list[Table], width: int) -> None:
    for table in tables:
        text = rendered(table, width)
        assert "…" not in text
        assert max(map(cell_len, text.splitlines())) <= width
        words = text.replace(";", "").split()
        for row in table.rows:
            for heading, cell in zip(table.headings, row, strict=True):
                if heading in table.left:
                    assert set(cell.text.replace(";", "").split()) <= set(words), cell
                else:
                    assert cell.text in text, cell


@pytest.mark.parametrize("width", WIDTHS)
def test_every_figure_of_a_result_stands_in_the_line_of_its_trial(wide: Study, width: int) -> None:
    lines = rendered(trials_table(wide.results, wide.objective, NAME), width).splitlines()
    columns = [(setting, "map") for setting in Setting]
    columns += [(Setting.MULTILINGUAL, name) for name in ("ndcg@10", "mrr", "rank_distance", "language_preference")]
    for result in wide.results:
        shown = " ".join(line for line in lines if line.split()[:1] == [str(result.number)]).split()
        for setting, metric in columns:
            value = result.metrics.get(f"{NAME}/{setting}/{metric}")
            if value is not None:
                assert f"{value:.{1 if metric == 'rank_distance' else 3}f}" in shown
        assert f"{result.metrics[wide.objective.metric]:.3f}" in shown


def test_what_all_rows_share_stands_above_them_and_a_path_is_its_last_part(wide: Study) -> None:
    one = [result for result in wide.results if result.config.backbone == LONG and result.config.seed == 0]
    lines = rendered(trials_table(one, wide.objective, NAME), 80).splitlines()
    shared = lines.index("in all rows: backbone multilingual-e5-small; temperature 0.05; seed 0")
    assert "temperature" not in "".join(lines[shared + 1 :])


def test_a_table_that_is_too_wide_is_split_and_each_part_begins_with_what_names_the_rows() -> None:
    headings = ("backbone", "batches", *(f"figure {n}" for n in range(30)))
    rows = tuple(
        (Cell(name), Cell(sampling), *(Cell(f"{n}.{place}25") for n in range(30)))
        for place, (name, sampling) in enumerate((("me5", "X-Y"), ("me5", "hybrid"), ("LaBSE", "X-Y")))
    )
    text = rendered(Table("title", headings, rows, frozenset(headings[:2]), keys=2), 80)
    parts = text.split("\n\n")
    assert len(parts) > 1
    assert all(part.count("me5") == 2 and part.count("LaBSE") == 1 for part in parts)


@example([["", "", "aaaa語語語"], ["aaaaaaaaa", "", ""]], 12)
@given(
    st.lists(st.lists(st.text("ab ก語", max_size=30), min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(12, 100),
)
def test_no_line_is_wider_than_the_terminal_and_no_character_is_lost(rows: list[list[str]], width: int) -> None:
    table = Table("", ("x", "yy yy", "z"), tuple(tuple(map(Cell, row)) for row in rows), frozenset({"yy yy", "z"}))
    text = rendered(table, width)
    assert all(cell_len(line) <= width for line in text.splitlines())
    for row in rows:
        for cell in row:
            assert all(text.count(character) >= 1 for character in cell.strip())


def test_backbones_are_shortened_as_far_as_they_stay_apart() -> None:
    assert short_names(["/a/me5", "b/LaBSE"]) == {"/a/me5": "me5", "b/LaBSE": "LaBSE"}
    assert short_names(["/a/me5", "/b/me5/"]) == {"/a/me5": "a/me5", "/b/me5/": "b/me5"}
    assert short_names(["me5", "/me5"]) == {"me5": "me5", "/me5": "/me5"}
    assert short_names([]) == {}
