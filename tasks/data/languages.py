"""One spelling for each language, so that `zh`, `zh-CN`, `zho` and `zho_Hans` are not four languages in a report."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from itertools import chain
from typing import Annotated, Any

import pydantic
from babel.core import Locale, get_global
from babel.localedata import locale_identifiers
from pydantic_core import PydanticCustomError

_CODE = re.compile(r"([a-z]{2,3})(?:[-_]([a-z]{4}))?(?:[-_]([a-z]{2}|\d{3}))?", re.IGNORECASE)
_NO_LANGUAGE = {"mis", "mul", "und", "zxx"}
"""Codes of ISO 639 that say that a language is unknown, or that there are several or none."""
_NORWEGIAN = {"no", "nb", "nn"}
_OFFICIAL = {"official", "de_facto_official"}


@cache
def language_code(name: str) -> str | None:
    """Return the code of a language, with a script only if it is not the language's usual one; None for other names.

    The two-letter code if the language has one (ISO 639-1), without its region: `deu` and `de-AT` are `de`, `zho_Hans`
    and `zh-CN` are `zh`, `zh-TW` is `zh_Hant`, `ary` stays `ary`. Aliases and usual scripts are those of the Unicode
    CLDR (UTS 35, likely subtags). Two letters that are no language there, such as `jp`, have none.
    """
    match = _CODE.fullmatch(name)
    if match is None or match[1].lower() in _NO_LANGUAGE:
        return None
    language, script, region = match[1].lower(), (match[2] or "").capitalize(), (match[3] or "").upper()
    # An alias may carry a script (`sh`: `sr_Latn`) or a region (`prs`: `fa_AF`).
    language, *rest = get_global("language_aliases").get(language, language).split("_")
    script = script or next((part for part in rest if len(part) == len("Latn")), "")
    if len(language) == len("en") and not _usual_script(language):
        return None
    script = script or _usual_script(f"{language}_{region}") or _usual_script(language)
    return language if script == _usual_script(language) else f"{language}_{script}"


def _usual_script(locale: str) -> str:
    likely: str = get_global("likely_subtags").get(locale, "")
    return next((part for part in likely.split("_") if len(part) == len("Latn")), "")


@cache
def named_language(name: str) -> str | None:
    """Return the code of a language by any of its codes, or by its name in English or in itself; None for others."""
    return language_code(name) or _code_of_name(name)


def may_be_same_language(one: str, other: str) -> bool:
    """Return whether two codes may name one language: one may leave the script open, and Norwegian has several."""
    (language, *script), (other_language, *other_script) = one.split("_"), other.split("_")
    alike = language == other_language or {language, other_language} <= _NORWEGIAN
    # A code of three letters that the CLDR does not know may be a word, such as `sql`.
    known = all(len(code) == len("en") or _usual_script(code) for code in (language, other_language))
    return not known or (alike and (script == other_script or not script or not other_script))


def is_locale(language: str, territory: str) -> bool:
    """Return whether a language is an official one of a territory, as in `pt-br`.

    That the Unicode CLDR has a locale does not tell: it has German in Italy, and `de-it` is a pair of languages.
    """
    spoken = get_global("territory_languages").get(territory.upper(), {})
    official = {name.split("_")[0] for name, use in spoken.items() if use["official_status"] in _OFFICIAL}
    return (language_code(language) or "").split("_")[0] in official


def not_a_language(name: str) -> str:
    """Return what is wrong with a name that `language_code` has no code for."""
    spoken = get_global("territory_languages").get(name.upper(), {})
    hint = f"; {name.upper()} is a country, where {next(iter(spoken))} is spoken" if spoken else ""
    if code := _code_of_name(name):
        hint = f"; {name} is {code}"
    return f"'{name}' is not a language code such as th or zho_Hans{hint}"


def _code_of_name(name: str) -> str | None:
    """Return the two-letter code of a language by its name in English or in itself, such as `Deutsch`."""
    codes = [code for code in locale_identifiers() if len(code) == len("en")]
    in_english = ((code, Locale("en").languages.get(code)) for code in codes)
    in_itself = ((code, Locale(code).display_name) for code in codes if len(name) > len("zho") or not name.isascii())
    found = (code for code, own in chain(in_english, in_itself) if own and own.casefold() == name.casefold())
    return next(found, None)


def _required_code(name: str) -> str:
    code = language_code(name)
    if code is None:
        raise PydanticCustomError("language", "{sentence}", {"sentence": not_a_language(name)})
    return code


def _by_code(values: Any) -> Any:
    if not isinstance(values, Mapping):
        return values
    codes = [_required_code(name) for name in values]
    for name, code in zip(values, codes, strict=True):
        if codes.count(code) > 1:
            raise PydanticCustomError("language", "'{name}' is the language of another key too", {"name": name})
    return dict(zip(codes, values.values(), strict=True))


Language = Annotated[str, pydantic.AfterValidator(_required_code)]
"""A language in an option of a corpus, in its one spelling."""
ByLanguage = pydantic.BeforeValidator(_by_code)
"""Annotates a mapping by language: its keys get their one spelling, and no language may occur twice."""
