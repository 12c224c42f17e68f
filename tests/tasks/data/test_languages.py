from __future__ import annotations

import pytest

from tasks.data.languages import language_code, not_a_language


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
