"""The model card of an exported trial, from its result alone: what it is, how to use it, what it scores, its data."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import yaml

from study.analysis.leaderboard import Result, decimals, number, sampling_of
from study.analysis.tables import Cell, Table, escape_markdown, figure, paragraphs, words
from study.config import BUILTIN
from tasks.schema import Setting

_HIDDEN = {"validation", "benchmarks", "resources", "corpora"}
"""Settings with a place of their own in the card, or of no concern to its reader."""
_TRAINED = """\
A multilingual dense retriever: {backbone}, fine-tuned for {steps} steps on {sampling} batches, alpha {alpha}, \
temperature {temperature} ([hybrid batch sampling](https://arxiv.org/abs/2408.10536))."""
_CODE = """\
```python
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/of/this/folder")
queries = model.encode_query(["เมืองหลวงของไทยคือเมืองใด"])
passages = model.encode_document(["曼谷是泰国的首都。", "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας."])
scores = model.similarity(queries, passages)
```"""
_PROMPTS = """\
Scores are cosines; pooling: {pooling}. Prompts: {query_prefix!r} before a query, {passage_prefix!r} before a passage. \
In training queries were cut at {max_query_tokens} tokens and passages at {max_passage_tokens}; this folder cuts both \
at the longer of the two. If the loader reports missing `pooler` weights: nothing uses them."""
_LICENCE = """\
The weights derive from the backbone and from these corpora, and the licences of all of them apply; \
`tasks/corpora/<name>.py` of the project states each corpus's."""


def model_card(result: Result, name: str) -> str:
    """Return the card of a trial.

    Args:
        result: what the trial's `result.json` holds.
        name: of the model.
    """
    config = result["config"]
    prompts = _PROMPTS.format(**{**config, **result["backbone"]})
    parts = [
        *(_front_matter(result), f"# {escape_markdown(name)}", _about(result)),
        *("## Use", _CODE, prompts),
        *_measured(result),
        *_data(result),
        *("## Settings", _settings(result).markdown()),
    ]
    return paragraphs(parts)


def _front_matter(result: Result) -> str:
    backbone: str = result["config"]["backbone"]
    fields = {
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        "language": sorted({language for held in result["benchmarks"].values() for language in held["queries"]}),
        "tags": ["sentence-transformers", "feature-extraction", "dense-retrieval", "multilingual"],
    }
    is_hub_id = backbone.count("/") == 1 and not backbone.startswith((BUILTIN, ".", "/", "~"))
    text: str = yaml.safe_dump(fields | ({"base_model": backbone} if is_hub_id else {}), sort_keys=False)
    return f"---\n{text}---"


def _about(result: Result) -> str:
    config, backbone = result["config"], escape_markdown(result["config"]["backbone"])
    if not result["training"]["best_step"]:
        return f"A multilingual dense retriever: {backbone} as it is, without training."
    return _TRAINED.format(
        backbone=backbone,
        steps=result["training"]["best_step"],
        sampling=sampling_of(result),
        alpha=_shown(config["alpha"]),
        temperature=_temperature(result),
    )


def _temperature(result: Result) -> str:
    """Return the temperature as it was set or, where it was learned, from where to where."""
    config, training = result["config"], result["training"]
    start = _shown(config["temperature"])
    if config["temperature_learning_rate"] is None:
        return start
    end = next(entry["temperature_now"] for entry in training["history"] if entry["step"] == training["best_step"])
    return f"{start}, learned to {number(end)}"


def _measured(result: Result) -> list[str]:
    parts = ["## Results", "Selected on a development set; these benchmarks were only reported."]
    for name, held in sorted(result["benchmarks"].items()):
        queries, passages = (sum(held[side].values()) for side in ("queries", "passages"))
        details = "".join(f", {key} {value}" for key, value in held["details"].items())
        about = f"{queries:,} queries, {passages:,} passages, data revision {held['revision']}{details}."
        tables = (_overall(held["metrics"], name), _by_language(held["by_language"], result["training_languages"]))
        parts += [f"### {escape_markdown(name)}", escape_markdown(about), *(table.markdown() for table in tables)]
    return parts


def _overall(metrics: Mapping[str, float], benchmark: str) -> Table:
    """Return a table with a row for each setting and a column for each metric."""
    figures = {tuple(key.removeprefix(f"{benchmark}/").split("/")): value for key, value in metrics.items()}
    names = list(dict.fromkeys(name for _, name in figures))
    rows = [
        (Cell(setting), *(figure(figures.get((setting, name)), decimals(name)) for name in names))
        for setting in Setting
        if any(setting == held for held, _ in figures)
    ]
    return Table("All languages", ("setting", *names), tuple(rows), frozenset({"setting"}))


def _by_language(scores: Mapping[str, Mapping[str, Mapping[str, float]]], trained: Collection[str]) -> Table:
    """Return a table with a row for each query language and a column for each setting's first metric."""
    leading = {setting: next(iter(next(iter(held.values())))) for setting, held in scores.items() if held}
    languages = sorted({language for held in scores.values() for language in held})
    rows = [
        (
            Cell(language if language in trained or not trained else f"{language} (unseen in training)"),
            *(figure(scores[s].get(language, {}).get(name), decimals(name)) for s, name in leading.items()),
        )
        for language in languages
    ]
    headings = ("language", *(f"{setting} {name}" for setting, name in leading.items()))
    return Table("By language of the query", headings, tuple(rows), frozenset({"language"}))


def _data(result: Result) -> list[str]:
    if not result["config"]["steps"]:
        return []
    corpora = [
        f"{held['name']}, {held['rows']:,} rows, revision {held['revision']}"
        + "".join(f", {key} {value}" for key, value in corpus["options"].items())
        for corpus, held in zip(result["config"]["corpora"], result["corpora"], strict=True)
    ]
    languages = f"Languages: {', '.join(result['training_languages'])}."
    lines = "\n".join(f"- {escape_markdown(corpus)}" for corpus in corpora)
    return ["## Data and licence", lines, languages, _LICENCE]


def _settings(result: Result) -> Table:
    shown = {key: _shown(value) for key, value in result["config"].items() if key not in _HIDDEN and value is not None}
    shown |= {"steps taken": str(result["training"]["step"]), "best step": str(result["training"]["best_step"])}
    shown |= {key: str(value) for key, value in (result["versions"] | result["hardware"]).items()}
    return Table(
        "As trained",
        ("setting", "value"),
        tuple(words(*pair) for pair in shown.items()),
        frozenset({"setting", "value"}),
    )


def _shown(value: Any) -> str:
    is_schedule = isinstance(value, dict) and "start" in value
    return number(value) if is_schedule or type(value) is float else str(value)
