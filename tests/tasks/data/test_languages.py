from __future__ import annotations

import pytest

from tasks.data.languages import is_locale, language_code, named_language, not_a_language


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["zh", "zh-CN", "zh_cn", "zho", "cmn", "zho_Hans", "zh-Hans-CN"], "zh"),
        (["zh-TW", "zho_Hant", "zh-Hant"], "zh_Hant"),
        (["pt", "pt-br", "por_Latn"], "pt"),
        (["de", "deu", "de-AT", "deu_Latn"], "de"),
        (["ar", "arb", "arb_Arab"], "ar"),
        (["ary", "ary_Arab"], "ary"),
        (["no"], "no"),
        (["sr"], "sr"),
        (["sr-Latn"], "sr_Latn"),
        (["sh", "hbs"], "sr_Latn"),
        (["prs", "fa-AF"], "fa"),
        (["jp", "ua", "GR", "cn"], None),
        (["Thai", "../th", "th th", "", "eng-deu"], None),
    ],
)
def test_every_spelling_of_a_language_is_one_code(names: list[str], code: str | None) -> None:
    assert {name: language_code(name) for name in names} == dict.fromkeys(names, code)


def test_the_code_of_a_country_is_told_from_that_of_its_language() -> None:
    assert not_a_language("jp") == (
        "'jp' is not a language code such as th or zho_Hans; JP is a country, where ja is spoken"
    )
    assert not_a_language("klingon-ish") == "'klingon-ish' is not a language code such as th or zho_Hans"


@pytest.mark.parametrize(("name", "code"), [("thai", "th"), ("Deutsch", "de"), ("中文", "zh"), ("العربية", "ar")])
def test_a_language_given_by_its_name_is_told_with_its_code(name: str, code: str) -> None:
    assert not_a_language(name) == f"'{name}' is not a language code such as th or zho_Hans; {name} is {code}"


@pytest.mark.parametrize(("name", "code"), [("thai", "th"), ("ไทย", "th"), ("zho_Hans", "zh"), ("mul", None)])
def test_a_language_is_known_by_its_codes_and_its_names(name: str, code: str | None) -> None:
    assert named_language(name) == code


@pytest.mark.parametrize(
    ("language", "territory", "official"),
    [("pt", "br", True), ("zh", "TW", True), ("ar", "ae", True), ("de", "it", False), ("en", "de", False)],
)
def test_a_locale_is_a_language_that_is_official_in_its_territory(
    language: str, territory: str, official: bool
) -> None:
    assert is_locale(language, territory) == official
