"""The sentences: templates with their slots, known facts in the words of their language, no text twice."""

from __future__ import annotations

import os
import string
import subprocess
import sys
from collections import Counter

import pytest

from tasks.factbook import texts
from tasks.factbook.facts import RELATIONS, facts
from tasks.factbook.names import LANGUAGES
from tasks.factbook.texts import passage, phrasings, question

QUESTION_MARK = {"ar": "؟", "el": ";", "th": "", "zh": "？"}


FULL_STOP = {"hi": "।", "th": "", "zh": "。"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_relation_has_two_questions_and_two_passages_with_their_slots(language: str) -> None:
    assert texts._file(language).keys() == {"separator", *RELATIONS}
    for relation in RELATIONS:
        questions, passages = (phrasings(relation, form, language) for form in ("questions", "passages"))
        assert len(set(questions)) == len(set(passages)) == 2
        assert all(slots(template) == ["entity"] for template in questions), relation
        assert all(sorted(slots(template)) == ["answer", "entity"] for template in passages), relation
        assert all(template.endswith(QUESTION_MARK.get(language, "?")) for template in questions), relation
        assert all(template.endswith(FULL_STOP.get(language, ".")) for template in passages), relation
        assert all(template == " ".join(template.split()) for template in (*questions, *passages)), relation


def slots(template: str) -> list[str]:
    return [slot for _, slot, _, _ in string.Formatter().parse(template) if slot is not None]


@pytest.mark.parametrize(
    ("relation", "entity", "language", "entity_name", "answer"),
    [
        ("capital", "EG", "ar", "مصر", "القاهرة"),
        ("capital", "KR", "zh", "韩国", "首尔"),
        ("currency", "TH", "th", "ไทย", "บาท"),
        ("official_languages", "FI", "ru", "Финляндия", "финский, шведский"),
        ("official_language", "BR", "th", "บราซิล", "ภาษาโปรตุเกส"),
        ("official_language", "CN", "vi", "Trung Quốc", "tiếng Trung"),
        ("borders", "NP", "zh", "尼泊尔", "中国、印度"),
        ("borders", "MN", "ar", "منغوليا", "الصين، روسيا"),
        ("borders", "NP", "th", "เนปาล", "จีน อินเดีย"),
        ("calling_code", "GR", "el", "Ελλάδα", "+30"),
        ("internet_domain", "GB", "hi", "यूनाइटेड किंगडम", ".uk"),
        ("country_code", "DE", "tr", "Almanya", "DEU"),
        ("world_region", "VN", "de", "Vietnam", "Südostasien"),
        ("country_of_city", "America/New_York", "es", "Nueva York", "Estados Unidos"),
        ("utc_offset", "Asia/Calcutta", "hi", "कोलकाता", "UTC+05:30"),
        ("language_code", "ja", "zh", "日语", "ja"),
        ("script", "hi", "ru", "хинди", "деванагари"),
        ("script", "uk", "el", "Ουκρανικά", "Κυριλλικό"),
    ],
)
def test_known_facts_are_stated_in_the_words_of_the_language(
    relation: str, entity: str, language: str, entity_name: str, answer: str
) -> None:
    fact = next(fact for fact in facts() if (fact.relation, fact.entity) == (relation, entity))
    assert entity_name in question(fact, language)
    assert entity_name in passage(fact, language)
    assert answer in passage(fact, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_facts_share_a_question_or_a_passage(language: str) -> None:
    for sentence in (question, passage):
        repeated = [text for text, n in Counter(sentence(fact, language) for fact in facts()).items() if n > 1]
        assert not repeated


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_phrasings_of_every_relation_are_in_use_in_any_combination(language: str) -> None:
    used = {
        (fact.relation, texts._phrasing(fact, "questions", language), texts._phrasing(fact, "passages", language))
        for fact in facts()
    }
    assert len(used) == 4 * len(RELATIONS)


def test_language_versions_of_a_fact_choose_their_phrasings_independently() -> None:
    choices = Counter(
        tuple(
            phrasings(fact.relation, "passages", language).index(texts._phrasing(fact, "passages", language))
            for language in ("ar", "th", "zh")
        )
        for fact in facts()
    )
    assert len(choices) == 8
    assert min(choices.values()) > len(facts()) / 8 * 0.8


def test_every_process_makes_the_same_data() -> None:
    program = (
        "from tasks.plugins import load_benchmark, load_corpus\n"
        "print(load_benchmark('factbook', {}).revision, load_corpus('factbook', {}).revision)"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(printed) == 1
