"""The names: each in the script of its language, none left as a code or in English."""

from __future__ import annotations

import unicodedata
from collections import defaultdict

import pytest

from tasks.factbook import names
from tasks.factbook.facts import RELATIONS, facts
from tasks.factbook.names import LANGUAGES, Kind, name

SCRIPTS = {"ar": "ARABIC", "el": "GREEK", "hi": "DEVANAGARI", "ru": "CYRILLIC", "th": "THAI", "zh": "CJK UNIFIED"}
"""What the Unicode names of a language's letters begin with; the other five are written in Latin."""


KEPT_ACRONYMS = {
    "el": {Kind.CURRENCY: {"XAF", "XOF"}},  # CFA
    "hi": {Kind.CURRENCY: {"XAF", "XOF"}},
    "ru": {Kind.CURRENCY: {"XAF"}},  # BEAC
}


@pytest.mark.parametrize("language", SCRIPTS)
def test_names_are_written_in_the_script_of_their_language(language: str) -> None:
    foreign = defaultdict(set)
    for kind, code in used_codes():
        for letter in name(kind, code, language):
            if letter.isalpha() and not unicodedata.name(letter).startswith(SCRIPTS[language]):
                foreign[kind].add(code)
    assert foreign == KEPT_ACRONYMS.get(language, {})


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_name_is_a_code_or_a_placeholder(language: str) -> None:
    for kind, code in used_codes():
        found = name(kind, code, language)
        assert found.strip(), (kind, code)
        assert found not in {code, code.lower(), code.upper()}
        assert not set(found) & set("{}_/\n\u00ad"), (kind, code, found)


def used_codes() -> set[tuple[Kind, str]]:
    used = set()
    for fact in facts():
        kinds = RELATIONS[fact.relation]
        used |= {(kinds.entity, fact.entity), *((kinds.answer, answer) for answer in fact.answers)}
    return {(kind, code) for kind, code in used if kind is not Kind.LITERAL}


@pytest.mark.parametrize(
    ("lacking", "listed"), [("th", None), ("hi", "Laurasia"), ("vi", "QZ")], ids=["none", "English", "a code"]
)
def test_what_one_language_lacks_has_no_names(
    monkeypatch: pytest.MonkeyPatch, lacking: str, listed: str | None
) -> None:
    def in_cldr(_kind: Kind, code: str, language: str) -> str | None:
        own = {"ar": "لوراسيا", "el": "Λαυρασία", "hi": "लॉरेशिया", "ru": "Лавразия", "th": "ลอเรเซีย", "zh": "劳亚古陆"}
        return listed if (code, language) == ("QZ", lacking) else own.get(language, "Laurasia")

    monkeypatch.setattr(names, "_listed", in_cldr)
    looked_up = names._name.__wrapped__  # past the cache, which outlives this test
    monkeypatch.setattr(names, "_name", looked_up)
    assert names.has_names.__wrapped__(Kind.TERRITORY, "QY")
    assert not names.has_names.__wrapped__(Kind.TERRITORY, "QZ")
