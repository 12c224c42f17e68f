"""`study.compare`: what it prints, what it writes, what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from study import cli, compare
from study.analysis.study import Study
from study.results import files

RUNNER = CliRunner()


@pytest.fixture
def folder(synthetic_study: Study, tmp_path: Path) -> Path:
    return Path(shutil.copytree(synthetic_study.folder, tmp_path / "study"))


def test_it_prints_a_sentence_for_each_backbone_and_end_and_writes_them(folder: Path) -> None:
    done = RUNNER.invoke(cli.program(compare.main), [str(folder)])
    assert done.exit_code == 0, done.output
    tested = "Tested over 2 shared seeds and 40 questions (crossed over 3 settings, "
    sentences = [line for line in done.output.splitlines() if tested in line]
    assert len(sentences) == 4
    markdown = (folder / "compare.md").read_text("utf-8")
    assert all(line.replace("[", "\\[").replace("]", "\\]") in markdown for line in sentences)
    written = json.loads((folder / "compare.json").read_text("utf-8"))
    assert [(one["group"]["backbone"], one["baseline"]["sampling"]) for one in written["comparisons"]] == [
        ("FacebookAI/xlm-roberta-base", "X-X-mono"),
        ("FacebookAI/xlm-roberta-base", "X-Y"),
        ("sentence-transformers/LaBSE", "X-X-mono"),
        ("sentence-transformers/LaBSE", "X-Y"),
    ]
    assert all(len(figure["languages"]) == 11 for one in written["comparisons"] for figure in one["figures"])


def test_it_opens_with_its_answer_and_says_which_alphas_cannot_be_told_from_the_best(folder: Path) -> None:
    done = RUNNER.invoke(cli.program(compare.main), [str(folder)])
    lines = [line for line in done.output.splitlines() if line]
    assert lines[0] == "study"
    assert all(line.startswith("- ") and "multilingual mAP of xquad_r: hybrid" in line for line in lines[1:3])
    assert lines[3].startswith("- The best trial is ")
    assert "multilingual/map" in lines[4]
    assert lines[5].startswith("- 12 of 22 trials have a result; ")
    assert lines[6].startswith("In brackets: 95 % intervals.")
    assert lines[7] == "xquad_r"
    answer, tables = lines[8:14], lines[14:]
    assert sum("hybrid" in line and "on multilingual mAP" in line for line in answer) == 4
    assert sum("of 3 settings, alpha" in line and "has the best multilingual mAP" in line for line in answer) == 2
    assert not any("Pareto" in line for line in answer), "a front of all settings says nothing"
    assert tables[0] == "xlm-roberta-base: the best alpha"
    written = json.loads((folder / "compare.json").read_text("utf-8"))
    multilingual = [
        curve for curve in written["curves"] if (curve["setting"], curve["metric"]) == ("multilingual", "map")
    ]
    assert [len(curve["settings"]) for curve in multilingual] == [3, 3]
    for curve in multilingual:
        best = max(curve["settings"], key=lambda setting: setting["mean"])
        assert best["candidate"]
        assert best["lead"] > 0 >= best["low"]
    assert [len(front["settings"]) for front in written["fronts"]] == [3, 3]


def test_baseline_and_metric_can_be_chosen(folder: Path) -> None:
    arguments = [str(folder), "--baseline", "X-Y", "--metric", "monolingual/ndcg@10"]
    done = RUNNER.invoke(cli.program(compare.main), arguments)
    assert "X-Y on monolingual nDCG@10" in done.output
    assert "X-X-mono" not in done.output


def test_another_baseline_is_another_file_and_names_cannot_leave_the_folder(folder: Path) -> None:
    for arguments in (
        [],
        ["--baseline", "X-Y"],
        ["--baseline", "sentence-transformers/LaBSE", "--metric", "monolingual/map"],
    ):
        done = RUNNER.invoke(cli.program(compare.main), [str(folder), *arguments])
        assert done.exit_code == 0, done.output
    written = sorted(file.name for file in folder.glob("compare*.md"))
    assert written[:2] == ["compare-X-Y.md", written[1]]
    assert written[1].startswith("compare-sentence-transformers-LaBSE-monolingual-map-")
    assert written[2:] == ["compare.md"]
    asked = (["a", "b"], ["a-b"], ["a/b"], ["."], ["/" + 300 * "ก"], ["../../etc/passwd", "s3://bucket/model"])
    names = [compare.file_name(each) for each in asked]
    assert len(set(names)) == len(names)
    assert all("/" not in name and len(name.encode()) < 250 for name in names)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--baseline", "X-x-mono"], "did you mean 'X-X-mono'?"),
        (["--metric", "multilingual/mapp"], "did you mean 'multilingual/map'?"),
    ],
)
def test_a_wrong_word_is_answered_in_one_sentence(folder: Path, arguments: list[str], message: str) -> None:
    done = RUNNER.invoke(cli.program(compare.main), [str(folder), *arguments])
    assert done.exit_code == 2
    assert message in done.output
    assert len(done.output.splitlines()) == 1


def test_a_benchmark_on_which_nothing_can_be_tested_has_its_place_and_the_reason(folder: Path) -> None:
    """One language has a single question."""
    for trial in (folder / "trials").iterdir():
        file = str(trial / "positions" / "xquad_r.parquet")
        table = files.read_table(file)
        asked, languages = table["query_id"].to_pylist(), table["query_language"].to_pylist()
        kept = [language != "th" or query == min(asked) for query, language in zip(asked, languages, strict=True)]
        files.write_table(file, table.filter(pa.array(kept)))
    done = RUNNER.invoke(cli.program(compare.main), [str(folder)])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[lines.index("xquad_r") + 1].startswith("- Not tested: monolingual mAP, monolingual nDCG@10, ")
    assert "## xquad\\_r" in (folder / "compare.md").read_text("utf-8")
