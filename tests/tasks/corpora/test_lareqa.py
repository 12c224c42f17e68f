"""XQuAD-R and MLQA-R as training data: the published files give the published counts, parallel by question id."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.corpora import lareqa
from tasks.holdout_split import split
from tasks.plugins import TaskError, load_corpus
from tasks.schema import Corpus, Pair
from tests.tasks.corpus_contract import check_contract

Lareqa = Callable[[Path, dict[str, list[dict[str, Any]]]], Path]
Make = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path, paragraph: Make, write_lareqa: Lareqa) -> Path:
    """Question q1 in Arabic, Thai and Chinese, q2 in Thai and Chinese, q3 in Chinese alone."""
    return write_lareqa(
        tmp_path / "mlqa-r",
        {
            "ar": [paragraph(["القاهرة عاصمة مصر.", "باريس عاصمة فرنسا."], ("q1", " ما عاصمة مصر؟ ", 0))],
            "th": [
                paragraph(["ปารีส", "ไคโรเป็นเมืองหลวง"], ("q2", "เมืองหลวงของฝรั่งเศสคือ", 0), ("q1", "เมืองหลวงของอียิปต์คือ", 1))
            ],
            "zh": [
                paragraph(["开罗是埃及的首都。"], ("q1", "埃及的首都是哪里？", 0)),
                paragraph(["巴黎是法国的首都。"], ("q2", "法国的首都是哪里？", 0), ("q3", "巴黎在哪里？", 0)),
            ],
        },
    )


def rows_of(corpus: Corpus) -> list[dict[str, Pair]]:
    check_contract(corpus)
    return [
        {language: corpus.pairs(np.array([row]), [language], [language])[0] for language in corpus.row_languages(row)}
        for row in range(len(corpus))
    ]


def test_a_row_is_a_question_with_its_answer_sentence_in_each_language_that_has_it(folder: Path) -> None:
    rows = rows_of(load_corpus("lareqa", {"path": str(folder)}))
    assert sorted(rows, key=len, reverse=True) == [
        {
            "ar": Pair("ما عاصمة مصر؟", "القاهرة عاصمة مصر."),
            "th": Pair("เมืองหลวงของอียิปต์คือ", "ไคโรเป็นเมืองหลวง"),
            "zh": Pair("埃及的首都是哪里？", "开罗是埃及的首都。"),
        },
        {"th": Pair("เมืองหลวงของฝรั่งเศสคือ", "ปารีส"), "zh": Pair("法国的首都是哪里？", "巴黎是法国的首都。")},
        {"zh": Pair("巴黎在哪里？", "巴黎是法国的首都。")},
    ]


def test_one_language_gives_rows_without_a_second_language(folder: Path) -> None:
    corpus = lareqa.load(path=folder, languages=("zh",))
    assert (corpus.languages, len(corpus), len(corpus.rows())) == (("zh",), 3, 0)


def test_a_language_a_number_of_rows_or_a_folder_that_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"corpus 'lareqa', option 'languages': there is no 'tr', allowed: ar, th, zh"):
        lareqa.load(path=folder, languages=("tr",))
    with pytest.raises(TaskError, match=r"option 'rows': 4 is more than its 3 rows"):
        lareqa.load(path=folder, rows=4)
    with pytest.raises(TaskError, match=r"option 'rows': 0 is refused"):
        load_corpus("lareqa", {"path": str(folder), "rows": 0})
    with pytest.raises(TaskError, match=r"nowhere holds no <language>.json"):
        lareqa.load(path=tmp_path / "nowhere")


def test_a_question_id_twice_in_a_language_is_refused(tmp_path: Path, paragraph: Make, write_lareqa: Lareqa) -> None:
    twice = paragraph(["ก ก", "ข ข"], ("q1", "ใคร", 0), ("q1", "อะไร", 1))
    folder = write_lareqa(tmp_path / "mlqa-r", {"th": [twice]})
    with pytest.raises(TaskError, match=r"th\.json: the question id 'q1' occurs twice"):
        lareqa.load(path=folder)


def test_xquad_r_is_1190_rows_in_all_eleven_languages(real_xquad_r: Path) -> None:
    corpus: Corpus = lareqa.load(path=real_xquad_r)
    assert corpus.languages == ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
    assert corpus.rows() == corpus.rows("th") == range(1190)


def test_mlqa_r_is_1148_rows_and_4199_question_versions(real_xquad_r: Path) -> None:
    corpus: Corpus = lareqa.load(path=real_xquad_r.with_name("mlqa-r"))
    versions = {language: len(corpus.rows(language)) for language in corpus.languages}
    assert versions == {"ar": 517, "de": 512, "en": 1148, "es": 500, "hi": 507, "vi": 511, "zh": 504}
    assert (len(corpus), sum(versions.values())) == (1148, 4199)
    # The counts per number of languages were computed from the published files without this code.
    assert Counter(len(corpus.row_languages(row)) for row in range(1148)) == {4: 820, 3: 263, 2: 65}
    english = lareqa.load(path=real_xquad_r.with_name("mlqa-r"), languages=("en",))
    assert (len(english), len(english.rows())) == (1148, 0)


def test_rows_keeps_nested_subsets_that_do_not_depend_on_the_languages(real_xquad_r: Path) -> None:
    def questions(count: int, *languages: str) -> list[Pair]:
        corpus = lareqa.load(path=real_xquad_r, languages=languages, rows=count)
        assert len(corpus) == count
        return corpus.pairs(np.arange(count), ["en"] * count, ["en"] * count)

    everything = lareqa.load(path=real_xquad_r, languages=("en",))
    all_pairs = everything.pairs(np.arange(1190), ["en"] * 1190, ["en"] * 1190)
    few, more = questions(150, "en"), questions(400, "en")
    assert set(few) < set(more) < set(all_pairs)
    assert few == questions(150, "en", "th", "zh")
    assert few == all_pairs[:150] != sorted(all_pairs)[:150]
    assert questions(1190, "en") == all_pairs


def test_held_out_rows_share_no_sentence_with_the_rest(real_xquad_r: Path) -> None:
    corpus = lareqa.load(path=real_xquad_r, languages=("en", "zh"), rows=400)
    training, held_out = split(corpus, 50)
    for language in ("en", "zh"):
        trained = training.pairs(np.arange(len(training)), [language] * len(training), [language] * len(training))
        asked = corpus.pairs(held_out, [language] * len(held_out), [language] * len(held_out))
        assert not {pair.query for pair in trained} & {pair.query for pair in asked}
        assert not {pair.passage for pair in trained} & {pair.passage for pair in asked}


def test_held_out_keeps_the_same_questions_out_of_english_as_out_of_all_languages(real_xquad_r: Path) -> None:
    folder = real_xquad_r.with_name("mlqa-r")
    every, english = lareqa.load(path=folder), lareqa.load(path=folder, languages=("en",))
    parts = split(every, 60), split(english, 60)

    def queries(corpus: Corpus, rows: Sequence[int]) -> set[str]:
        languages = ["en"] * len(rows)
        return {pair.query for pair in corpus.pairs(np.array(rows), languages, languages)}

    held_out = queries(every, parts[0].held_out.tolist())
    training = queries(parts[1].training, range(len(parts[1].training)))
    assert len(held_out) == 60
    assert not held_out & training
