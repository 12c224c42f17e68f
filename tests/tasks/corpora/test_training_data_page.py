"""The files and the YAML of docs/your_training_data.md."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import yaml

from tasks.plugins import load_corpus
from tasks.schema import Corpus, Pair

PAGE = (Path(__file__).parents[3] / "docs" / "your_training_data.md").read_text(encoding="utf-8")


@pytest.fixture
def corpora(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[Corpus]:
    for name, content in re.findall(r"^`(\w+\.jsonl)`.*?\n\n```json\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    blocks = [yaml.safe_load(block) for block in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)]
    options = [corpus for block in blocks for corpus in block["trial"]["corpora"]]
    return [load_corpus(corpus.pop("name"), corpus) for corpus in options]


def test_the_corpora_of_the_page_are_read_as_it_says(corpora: list[Corpus]) -> None:
    thai, parallel = corpora
    assert (thai.languages, len(thai), thai.fewest_negatives) == (("th",), 2, 1)
    assert thai.pairs(np.array([1]), ["th"], ["th"]) == [Pair("แม่น้ำสายใดไหลผ่านกรุงเทพ", "แม่น้ำเจ้าพระยา", ("แม่น้ำโขง",))]
    assert (parallel.languages, len(parallel), len(parallel.rows())) == (("th", "zh"), 2, 1)
    assert parallel.ids(np.arange(2)) == ["1", "2"]
