"""Names of territories, cities, currencies, languages and scripts in each language: Unicode CLDR, by `babel`."""

from __future__ import annotations

import functools
from enum import StrEnum

from babel import Locale

LANGUAGES = ("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")
"""The languages of XQuAD-R (LAReQA, arXiv 2004.05484), ISO 639-1."""

_LATIN = frozenset({"de", "en", "es", "tr", "vi"})
_SOFT_HYPHEN = "\u00ad"


class Kind(StrEnum):
    """Kind of thing that a code stands for, which decides where its name is looked up."""

    TERRITORY = "territories"
    """ISO 3166-1 alpha-2, or UN M49 for a region of the world."""
    CITY = "cities"
    """A CLDR time zone, standing for its exemplar city."""
    CURRENCY = "currencies"
    """ISO 4217."""
    LANGUAGE = "languages"
    """ISO 639."""
    SCRIPT = "scripts"
    """ISO 15924."""
    LITERAL = "literals"
    """A number or code that is written alike in all languages."""


def name(kind: Kind, code: str, language: str) -> str:
    """Return the name that `has_names` has found to exist."""
    name = _name(kind, code, language)
    assert name is not None, (kind, code, language)
    return name


@functools.cache
def has_names(kind: Kind, code: str) -> bool:
    """Return whether every language has a name of its own for the code."""
    return all(_name(kind, code, language) is not None for language in LANGUAGES)


@functools.cache
def _name(kind: Kind, code: str, language: str) -> str | None:
    if kind is Kind.LITERAL:
        return code
    name = _city(code, language) if kind is Kind.CITY else _listed(kind, code, language)
    if name is None or name == code:
        return None
    if language not in _LATIN and name == _name(kind, code, "en"):
        return None  # an English name left untranslated
    return _in_a_sentence(name.replace(_SOFT_HYPHEN, ""), kind, language)


def _listed(kind: Kind, code: str, language: str) -> str | None:
    names: dict[str, str] = getattr(_locale(language), kind.value)
    return names.get(code)


def _city(zone: str, language: str) -> str | None:
    city: str | None = _locale(language).time_zones.get(zone, {}).get("city")
    if city is None and language in _LATIN:
        # CLDR leaves out a name that is the last part of the zone: the root locale has it so for all.
        return zone.rsplit("/", 1)[-1].replace("_", " ")
    return city


def _in_a_sentence(name: str, kind: Kind, language: str) -> str:
    """Turn the form for lists and menus into the one within a sentence, where the two differ."""
    if language == "vi" and kind in {Kind.LANGUAGE, Kind.SCRIPT}:
        return name.replace("Tiếng ", "tiếng ", 1).replace("Chữ ", "chữ ", 1)
    if language == "th" and kind is Kind.LANGUAGE:
        return f"ภาษา{name}"
    return name


@functools.cache
def _locale(language: str) -> Locale:
    return Locale.parse(language)
