"""The model card of an exported trial, written from its result alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from study.analysis import formats
from study.analysis.formats import decimals
from study.analysis.groups import sampling_of
from study.analysis.tables import Cell, Table, benchmark_line, escape_markdown, number_cell, paragraphs, text_cells
from study.config import BUILTIN, TrialConfig, backbone_folder
from study.model.model_files import snapshot_of
from study.results.trial_result import Scores, TrainingProgress, TrialResult
from tasks.schema import Setting

_HIDDEN = {"validation", "benchmarks", "resources", "corpora"}
"""Settings that the card shows elsewhere, or that its reader does not need."""
_OF_ENCODING = {
    *("backbone", "pooling", "precision", "windows", "centring"),
    *("query_prefix", "passage_prefix", "max_query_tokens", "max_passage_tokens"),
}
"""Settings that count for a model that was not trained."""
_TRAINED = """\
A multilingual dense retriever: {backbone}, fine-tuned for {steps} on {sampling} batches, alpha {alpha}, \
temperature {temperature} ([hybrid batch sampling](https://arxiv.org/abs/2408.10536))."""
_CODE = """\
```python
# pip install sentence-transformers "transformers>=5"
from sentence_transformers import SentenceTransformer

model = SentenceTransformer("path/of/this/folder")
queries = model.encode_query(["เมืองหลวงของไทยคือเมืองใด"])
passages = model.encode_document(["曼谷是泰国的首都。", "Η Αθήνα είναι η πρωτεύουσα της Ελλάδας."])
scores = model.similarity(queries, passages)
```"""
_PROMPTS = """\
Scores are cosines; pooling: {pooling}. Prompts: {query_prefix} before a query, {passage_prefix} before a passage. \
{when} queries were cut at {max_query_tokens} tokens and passages at {max_passage_tokens}; this folder cuts both \
at the longer of the two. The loader may report missing `pooler` weights, which nothing uses."""
_WINDOWS = """\
The results below are those of passages cut into windows of {tokens} tokens, {stride} apart, of which the best counts. \
The code above reads only the beginning of a passage. To get the same ranking, index each window as a separate \
passage, with the passage prompt."""
_LANGUAGE_MEANS = """\
`language_means.safetensors` holds the mean passage embedding of each training language, and `all`, the mean of these. \
To rank passages of several languages by content rather than by language, index each passage as \
`normalise(embedding - means[language] + means["all"])`; queries stay as they are."""
_LICENCE = """\
The weights derive from the backbone and from these corpora, and the licences of all of them apply; \
`tasks/corpora/<name>.py` in the project states the licence of each corpus."""


def model_card(result: TrialResult, name: str, *, language_means: bool = False) -> str:
    """Return the card of a trial's model.

    Args:
        result: the trial's result.
        name: the model's name.
        language_means: whether `language_means.safetensors` lies beside the model.
    """
    when = "In training" if result.config.steps else "When it was measured,"
    settings = _as_run(result)
    prefixes = {name: escape_markdown(repr(settings[name])) for name in ("query_prefix", "passage_prefix")}
    prompts = _PROMPTS.format(**settings | prefixes, when=when)
    parts = [
        *(_front_matter(result), f"# {escape_markdown(name)}", _about(result)),
        *("## Use", _CODE, prompts, *_windows(result), *([_LANGUAGE_MEANS] if language_means else [])),
        *_measured(result),
        *_data(result),
        *("## Settings", _settings(result).markdown()),
    ]
    return paragraphs(parts)


def _as_run(result: TrialResult) -> dict[str, Any]:
    """Return a trial's settings, with what they leave to the model or the machine as it was when the trial ran."""
    ran = {name: value for name, value in result.backbone if value is not None}
    return {name: ran.get(name, value) for name, value in result.config}


def _windows(result: TrialResult) -> list[str]:
    windows = result.config.windows
    return [_WINDOWS.format(tokens=windows.tokens, stride=windows.stride)] if windows else []


def _front_matter(result: TrialResult) -> str:
    backbone = result.config.backbone.partition("@")[0]
    fields = {
        "library_name": "sentence-transformers",
        "pipeline_tag": "sentence-similarity",
        # The hub takes ISO 639 codes alone, and refuses one with a script such as `zh_Hant`.
        "language": sorted(
            {name.partition("_")[0] for measured in result.benchmarks.values() for name in measured.queries}
        ),
        "tags": ["sentence-transformers", "feature-extraction", "dense-retrieval", "multilingual"],
    }
    is_hub_id = backbone.count("/") == 1 and not backbone.startswith((BUILTIN, ".", "/", "~"))
    is_hub_id = is_hub_id and backbone_folder(result.config.backbone) is None
    text: str = yaml.safe_dump(fields | ({"base_model": backbone} if is_hub_id else {}), sort_keys=False)
    return f"---\n{text}---"


def _about(result: TrialResult) -> str:
    config, commit = result.config, result.backbone.revision
    backbone = escape_markdown(_backbone(config).partition("@")[0] if commit else _backbone(config))
    if commit:
        backbone += f" (commit {commit})"
    if not result.training.best_step:
        return f"A multilingual dense retriever: {backbone} as it is, without training."
    return _TRAINED.format(
        backbone=backbone,
        steps=_steps(result.training),
        sampling=sampling_of(config, result.training_languages),
        alpha=formats.setting(config.alpha),
        temperature=_temperature(result),
    )


def _steps(training: TrainingProgress) -> str:
    taken, best = training.step, training.best_step
    return f"{taken} steps" if best == taken else f"{taken} steps (the weights are those of step {best}, the best)"


def _backbone(config: TrialConfig) -> str:
    """Return a backbone's name; of a folder without where it lies on this machine."""
    folder = backbone_folder(config.backbone)
    if folder is None:
        return config.backbone
    snapshot = snapshot_of(folder)
    return snapshot.name if snapshot else folder.name


def _temperature(result: TrialResult) -> str:
    """Return the temperature that was set and, if it was learned, the one at the best step."""
    start, training = formats.setting(result.config.temperature), result.training
    if result.config.temperature_learning_rate is None:
        return start
    end = next(entry["temperature_now"] for entry in training.history if entry["step"] == training.best_step)
    return f"{start}, learned to {formats.setting(end)}"


def _measured(result: TrialResult) -> list[str]:
    parts = ["## Results", "These benchmarks were reported, and nothing was selected by them."]
    for name, measured in sorted(result.benchmarks.items()):
        tables = (_overall(measured.metrics, name), _by_language(measured.by_language, result.training_languages))
        details = {key: _published(key, value) for key, value in measured.details.items()}
        about = escape_markdown(benchmark_line(name, measured.model_copy(update={"details": details})))
        seen, questions = result.seen_questions.get(name, 0), sum(measured.queries.values())
        trained = f"**{seen:,} of these {questions:,} questions are in the training data: the figures are not those of "
        known = [f"{trained}unseen questions.**"] if seen else []
        parts += [f"### {escape_markdown(name)}", *known, about]
        parts += [table.markdown() for table in tables if table.rows]
    return parts


def _overall(metrics: Scores, benchmark: str) -> Table:
    """Return a table with a row for each setting and a column for each metric."""
    values = {
        (setting, key.removeprefix(f"{benchmark}/{setting}/")): value
        for setting in Setting
        for key, value in metrics.items()
        if key.startswith(f"{benchmark}/{setting}/")
    }
    names = dict.fromkeys(name for _, name in values)
    rows = [
        (
            Cell(formats.setting_name(setting)),
            *(number_cell(values.get((setting, name)), decimals(name)) for name in names),
        )
        for setting in dict.fromkeys(setting for setting, _ in values)
    ]
    return Table("All languages", ("setting", *names), tuple(rows), frozenset({"setting"}))


def _by_language(scores: Mapping[str, Mapping[str, Scores]], trained: Collection[str]) -> Table:
    """Return a table with a row for each query language and a column for each setting's first metric."""
    leading = {setting: next(iter(next(iter(by.values())))) for setting, by in scores.items() if by}
    languages = sorted({language for by in scores.values() for language in by})
    rows = [
        (
            Cell(language if language in trained or not trained else f"{language} (unseen in training)"),
            *(number_cell(scores[s].get(language, {}).get(name), decimals(name)) for s, name in leading.items()),
        )
        for language in languages
    ]
    headings = ("language", *(f"{formats.setting_name(setting)} {name}" for setting, name in leading.items()))
    return Table("By language of the query", headings, tuple(rows), frozenset({"language"}))


def _data(result: TrialResult) -> list[str]:
    if not result.config.steps:
        return []
    corpora = [
        f"{record.name}, {record.rows:,} rows, revision {record.revision}"
        + "".join(f", {key} {_published(key, value)}" for key, value in corpus.options.items())
        for corpus, record in zip(result.config.corpora, result.corpora, strict=True)
    ]
    languages = f"Languages: {', '.join(result.training_languages)}."
    lines = "\n".join(f"- {escape_markdown(corpus)}" for corpus in corpora)
    return ["## Data and licence", lines, languages, _LICENCE]


def _published(key: str, value: Any) -> Any:
    """Return an option without the folders of this machine that it names."""
    return Path(value).name if key == "path" and value else value


def _settings(result: TrialResult) -> Table:
    values = {name: value for name, value in _as_run(result).items() if name not in _HIDDEN and value is not None}
    values["backbone"] = _backbone(result.config)
    trained = result.training.best_step
    if trained:
        values |= {"steps taken": result.training.step, "best step": trained}
    else:
        values = {name: value for name, value in values.items() if name in _OF_ENCODING}
    values |= {**result.versions, **result.hardware}
    return Table(
        "As trained" if trained else "As evaluated",
        ("setting", "value"),
        tuple(text_cells(name, formats.setting(value)) for name, value in values.items()),
        frozenset({"setting", "value"}),
    )
