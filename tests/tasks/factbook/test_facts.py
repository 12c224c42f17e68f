"""The facts: true where something independent of us can tell, and as many as promised."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections import Counter

from babel.core import get_global

from tasks.factbook.facts import RELATIONS, facts


def answer_of(relation: str) -> dict[str, tuple[str, ...]]:
    return {fact.entity: fact.answers for fact in facts() if fact.relation == relation}


def test_there_are_about_nineteen_hundred_facts_in_thirteen_relations() -> None:
    counts = Counter(fact.relation for fact in facts())
    assert set(counts) == set(RELATIONS)
    assert 1800 <= len(facts()) <= 2200
    assert len(counts) == 13
    assert min(counts.values()) > 30


def test_ids_are_places_in_an_order_that_strings_keep() -> None:
    ids = [fact.id for fact in facts()]
    assert ids == sorted(ids)
    assert [int(i) for i in ids] == list(range(len(ids)))
    assert len({(fact.relation, fact.entity) for fact in facts()}) == len(ids)


def test_borders_are_mutual() -> None:
    borders = answer_of("borders")
    one_sided = {
        (country, neighbour)
        for country, neighbours in borders.items()
        for neighbour in neighbours
        if neighbour in borders and country not in borders[neighbour]
    }
    assert not one_sided
    assert all(len(neighbours) >= 2 for neighbours in borders.values()), "their sentences say `countries`"


def test_the_number_of_official_languages_fits_the_grammar_of_their_relation() -> None:
    assert {len(answers) for answers in answer_of("official_language").values()} == {1}
    assert min(len(answers) for answers in answer_of("official_languages").values()) == 2
    assert not answer_of("official_language").keys() & answer_of("official_languages").keys()


def test_codes_are_unique_where_the_world_has_them_unique() -> None:
    for relation in ("capital", "country_code", "internet_domain"):
        answers = [answer for (answer,) in answer_of(relation).values()]
        assert len(set(answers)) == len(answers), relation
    shared = Counter(answer for (answer,) in answer_of("calling_code").values())
    assert {code: count for code, count in shared.items() if count > 1} == {"+1": 2, "+7": 2}


def test_utc_offsets_are_those_of_the_time_zone_database() -> None:
    for city, (stated,) in answer_of("utc_offset").items():
        zone = zoneinfo.ZoneInfo(city)
        moments = [dt.datetime(2025, month, 15, 12, tzinfo=zone) for month in range(1, 13)]
        standard = {offset(moment) for moment in moments if not moment.dst()}
        assert standard == {stated}, city


def offset(moment: dt.datetime) -> str:
    plain = moment.strftime("%z")
    return f"UTC{plain[:3]}:{plain[3:]}"


def test_cities_lie_where_the_cldr_has_their_time_zones() -> None:
    country_of_zone = get_global("zone_territories")
    known = {city: answers for city, answers in answer_of("country_of_city").items() if city in country_of_zone}
    assert len(known) > 100
    assert known == {city: (country_of_zone[city],) for city in known}


def test_no_capital_is_asked_for_its_country_too() -> None:
    capitals = {answer for (answer,) in answer_of("capital").values()}
    assert not capitals & answer_of("country_of_city").keys(), "one passage would answer both questions"
