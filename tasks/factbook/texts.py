"""The sentences that ask for a fact and state it, from `templates/<language>.yaml`.

A template has the slots `{entity}` and, in passages, `{answer}`. Which of its relation's phrasings a fact gets is a
fixed function of fact and language, so language versions are translations of each other but not word for word.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Literal

import yaml

from tasks.factbook.facts import RELATIONS, Fact
from tasks.factbook.names import name

Form = Literal["questions", "passages"]


def question(fact: Fact, language: str) -> str:
    """Return the question that the fact answers."""
    return _phrasing(fact, "questions", language).format(entity=_entity(fact, language))


def passage(fact: Fact, language: str) -> str:
    """Return the sentences that state the fact."""
    kind = RELATIONS[fact.relation].answer
    answer = separator(language).join(name(kind, code, language) for code in fact.answers)
    return _phrasing(fact, "passages", language).format(entity=_entity(fact, language), answer=answer)


def phrasings(relation: str, form: Form, language: str) -> Sequence[str]:
    """Return all templates for the questions or the passages of a relation."""
    template: list[str] = _file(language)[relation][form]
    return template


def separator(language: str) -> str:
    """Return what stands between the members of a list."""
    return str(_file(language)["separator"])


def _entity(fact: Fact, language: str) -> str:
    return name(RELATIONS[fact.relation].entity, fact.entity, language)


def _phrasing(fact: Fact, form: Form, language: str) -> str:
    templates = phrasings(fact.relation, form, language)
    # Python's own hash differs between processes; the id would change with every fact that is added before this one.
    drawn = hashlib.sha256(f"{language} {form} {fact.relation} {fact.entity}".encode()).digest()
    return templates[drawn[0] % len(templates)]


@functools.cache
def _file(language: str) -> Mapping[str, Mapping[Form, list[str]]]:
    text = resources.files("tasks.factbook").joinpath(f"templates/{language}.yaml").read_text(encoding="utf-8")
    templates: Mapping[str, Mapping[Form, list[str]]] = yaml.load(text, yaml.CSafeLoader)
    return templates
