"""The facts, in codes: our tables under `data/` joined with the CLDR's own (currencies, official languages).

Countries are the members of the United Nations and the Vatican. A `-` in a table is a fact that we do not state because
there is none, or it is disputed, or cannot be put simply; `data/omitted.tsv` lists those of the CLDR that we leave out.
"""

from __future__ import annotations

import csv
import datetime as dt
import functools
from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import NamedTuple

from babel.core import get_global
from babel.numbers import get_territory_currencies

from tasks.factbook.names import LANGUAGES, Kind, has_names, name


class Relation(NamedTuple):
    """Kinds of a relation's subject and of its answer."""

    entity: Kind
    answer: Kind


RELATIONS: Mapping[str, Relation] = {
    "borders": Relation(Kind.TERRITORY, Kind.TERRITORY),
    "calling_code": Relation(Kind.TERRITORY, Kind.LITERAL),
    "capital": Relation(Kind.TERRITORY, Kind.CITY),
    "country_code": Relation(Kind.TERRITORY, Kind.LITERAL),
    "country_of_city": Relation(Kind.CITY, Kind.TERRITORY),
    "currency": Relation(Kind.TERRITORY, Kind.CURRENCY),
    "internet_domain": Relation(Kind.TERRITORY, Kind.LITERAL),
    "language_code": Relation(Kind.LANGUAGE, Kind.LITERAL),
    "official_language": Relation(Kind.TERRITORY, Kind.LANGUAGE),
    "official_languages": Relation(Kind.TERRITORY, Kind.LANGUAGE),
    "script": Relation(Kind.LANGUAGE, Kind.SCRIPT),
    "utc_offset": Relation(Kind.CITY, Kind.LITERAL),
    "world_region": Relation(Kind.TERRITORY, Kind.TERRITORY),
}
"""One or several official languages are two relations because their sentences differ in number."""

# The CLDR knows when each currency came and went; a fixed day keeps the facts from changing overnight.
_AS_OF = dt.date(2026, 1, 1)


class Fact(NamedTuple):
    """One thing that is true: `Fact("0366", "capital", "JP", ("Asia/Tokyo",))`."""

    id: str
    """Its place among all facts, zero-padded, so that ids sort as facts do."""
    relation: str
    entity: str
    answers: tuple[str, ...]


@functools.cache
def facts() -> tuple[Fact, ...]:
    """Return every fact that all languages can state without ambiguity, sorted by relation and entity."""
    omitted = {(row["relation"], row["entity"]) for row in _table("omitted")}
    stated = sorted(
        (relation, entity, answers)
        for relation, entity, answers in (*_of_countries(), *_of_cities(), *_of_languages())
        if (relation, entity) not in omitted and _is_clear(relation, entity, answers)
    )
    return tuple(Fact(f"{place:04d}", *fact) for place, fact in enumerate(stated))


_Stated = tuple[str, str, tuple[str, ...]]


def _of_countries() -> Iterator[_Stated]:
    for row in _table("countries"):
        country = row["country"]
        for relation in ("calling_code", "capital", "country_code", "internet_domain", "world_region"):
            if row[relation] != "-":
                yield relation, country, (row[relation],)
        if row["borders"] != "-":
            yield "borders", country, tuple(row["borders"].split())
        currencies = get_territory_currencies(country, _AS_OF)
        if len(currencies) == 1:
            yield "currency", country, (currencies[0],)
        if languages := _official_languages(country):
            yield "official_language" if len(languages) == 1 else "official_languages", country, languages


def _official_languages(country: str) -> tuple[str, ...]:
    spoken = get_global("territory_languages").get(country, {})
    official = [code for code, status in spoken.items() if status["official_status"] == "official"]
    return tuple(dict.fromkeys(code.split("_")[0] for code in official))  # `uz` and `uz_Cyrl` are one language


def _of_cities() -> Iterator[_Stated]:
    for row in _table("cities"):
        yield "country_of_city", row["city"], (row["country"],)
        yield "utc_offset", row["city"], (row["utc_offset"],)


def _of_languages() -> Iterator[_Stated]:
    for row in _table("languages"):
        yield "language_code", row["language"], (row["language"],)
        if row["script"] != "-":
            yield "script", row["language"], (row["script"],)


def _is_clear(relation: str, entity: str, answers: tuple[str, ...]) -> bool:
    kinds = RELATIONS[relation]
    if not has_names(kinds.entity, entity) or not all(has_names(kinds.answer, answer) for answer in answers):
        return False
    for language in LANGUAGES:
        asked = name(kinds.entity, entity, language)
        if _bearers(kinds.entity, language)[asked] > 1:
            return False
        if relation == "capital" and name(Kind.CITY, answers[0], language) == asked:
            return False  # "the capital of Djibouti is Djibouti" does not tell city from country
    return True


@functools.cache
def _bearers(kind: Kind, language: str) -> Counter[str]:
    """Return how many entities bear each name."""
    table, column = {
        Kind.TERRITORY: ("countries", "country"),
        Kind.CITY: ("cities", "city"),
        Kind.LANGUAGE: ("languages", "language"),
    }[kind]
    codes = [row[column] for row in _table(table)]
    return Counter(name(kind, code, language) for code in codes if has_names(kind, code))


def _table(stem: str) -> list[dict[str, str]]:
    text = resources.files("tasks.factbook").joinpath(f"data/{stem}.tsv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))
