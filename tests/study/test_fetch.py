"""`python -m study.fetch`: what it prints, and what it refuses before it downloads anything."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from study.cli import program
from study.fetch import main


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, and nobody who answers in the place of GitHub."""
    monkeypatch.setenv("STUDY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr("tasks.data.pinned_files.GITHUB", "http://127.0.0.1:9")
    monkeypatch.setattr("pooch.core.time.sleep", lambda _: None)  # between attempts
    return tmp_path / "cache"


@pytest.fixture
def tatoeba(tmp_path: Path) -> Path:
    """Two Thai sentences and their translations."""
    (tmp_path / "tatoeba.tha-eng.tha").write_text("ผมโสด\nไม่เป็นไร\n", encoding="utf-8")
    (tmp_path / "tatoeba.tha-eng.eng").write_text("I am single.\nIt doesn't matter.\n", encoding="utf-8")
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(program(main), arguments)


def test_it_says_what_is_there_now_and_where(cache: Path, tatoeba: Path) -> None:
    result = run("tatoeba", "--option", f"path={tatoeba}", "--option", "languages=[th]")
    assert result.exit_code == 0
    assert "tatoeba: 2 queries, 2 passages, revision " in result.stdout
    assert f"ready in {cache}" in result.stdout


def test_a_name_that_a_benchmark_and_a_corpus_have_is_the_benchmark_unless_the_corpus_is_asked_for(cache: Path) -> None:
    assert " queries, " in run("factbook").stdout
    asked = run("factbook", "--corpus")
    assert asked.exit_code == 0
    assert " rows in " in asked.stdout
    assert str(cache) in asked.stdout
    refused = run("tatoeba", "--corpus")
    assert refused.exit_code == 2
    assert "there is no corpus 'tatoeba'" in refused.stderr


def test_without_network_it_is_one_sentence_with_command_and_folder(cache: Path) -> None:
    result = run("mlqa_r")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: mlqa_r is not on this machine and http://127.0.0.1:9/google-research")
    assert f"run `python -m study.fetch mlqa_r` where there is a network and copy {cache}/mlqa_r/" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["mlqa_r", "xquadr"], "error: there is no benchmark or corpus 'xquadr': did you mean 'xquad_r'?"),
        (["mlqa_r", "--option", "language=[th]"], "has no option 'language': did you mean 'languages'?"),
        (["mlqa_r", "--option", "languages"], "error: --option 'languages' is refused: write KEY=VALUE"),
    ],
    ids=["name", "option", "value"],
)
def test_what_can_be_refused_is_refused_before_any_download(cache: Path, arguments: list[str], problem: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert problem in result.stderr
    assert not cache.exists()


def test_data_that_loads_but_cannot_be_measured_is_refused(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "th").mkdir()
    (tmp_path / "th" / "corpus.jsonl").write_text('{"_id": "1", "text": "กรุงเทพ"}', encoding="utf-8")
    (tmp_path / "th" / "queries.jsonl").write_text('{"_id": "1", "text": "เมืองหลวง?"}', encoding="utf-8")
    (tmp_path / "th" / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\t2\t1\n", encoding="utf-8")
    result = run("local", "--option", f"path={tmp_path}", "--option", "settings=[monolingual]")
    assert result.exit_code == 2
    assert "passage 'th:2', relevant to query 'th:1', is in no pool" in result.stderr


def test_check_counts_what_a_folder_holds_also_where_it_cannot_be_measured(cache: Path, tmp_path: Path) -> None:
    for name, content in {
        "th/corpus.jsonl": '{"_id": "1", "text": "กรุงเทพ"}\n{"_id": "1", "text": "กรุงเทพ"}\n{"_id": "2", "text": ""}\n',
        "th/queries.jsonl": '{"_id": "1", "text": "เมืองหลวง?"}\n{"_id": "2", "text": "แม่น้ำ?"}\n',
        "th/qrels/test.tsv": "query-id\tcorpus-id\tscore\n1\t1\t1\n1\t9\t1\n",
        "th/qrels/dev.tsv": "query-id\tcorpus-id\tscore\n2\t1\t1\n",
        "zh/corpus.jsonl": '{"_id": "1", "text": "曼谷"}\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    result = run("local", "--check", "--option", f"path={tmp_path}")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0][-3:] == ["splits:", "dev,", "test"]
    assert lines[1:5] == [
        ["language", "queries", "passages", "judged", "missing", "copies", "empty"],
        ["th", "2", "2", "1", "1", "1", "1"],
        ["zh", "0", "1", "0", "0", "0", "0"],
        ["all", "2", "3", "1", "1", "1", "1"],
    ]
    assert "text of an earlier one" not in result.stdout


def test_check_tells_passages_that_have_the_text_of_another(cache: Path, tmp_path: Path) -> None:
    passages = [("1", "กรุงเทพ"), ("2", "เชียงใหม่"), ("3", "กรุงเทพ"), ("4", ""), ("5", ""), ("6", "กรุงเทพ")]
    lines = {
        "corpus": [{"_id": name, "text": text} for name, text in passages],
        "queries": [{"_id": "1", "text": "เมืองหลวง?"}],
    }
    (tmp_path / "th").mkdir()
    for name, rows in lines.items():
        (tmp_path / "th" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\t1\t1\n", "utf-8")
    told = " ".join(run("local", "--check", "--option", f"path={tmp_path}").stdout.split())
    assert (
        "passages with the text of an earlier one: th 2; these tie, and count as wrong unless they are judged" in told
    )


def test_the_door_opens_from_the_command_line_without_torch_or_ray(cache: Path, tatoeba: Path) -> None:
    code = "import sys, study.fetch; sys.exit(bool({'torch', 'ray', 'transformers'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], check=False, env=os.environ).returncode == 0
    command = [sys.executable, "-m", "study.fetch", "tatoeba", "--option", f"path={tatoeba}", "--option=languages=[th]"]
    result = subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ)
    assert (result.returncode, result.stderr) == (0, "")
    assert "2 queries, 2 passages" in result.stdout
