"""Mewsli-X: find the entity that a mention in a news article means, by its description in another language (XTREME-R).

Source:   https://github.com/google-research/google-research, folder
          `dense_representations_for_entity_retrieval/mel`; archive mewsli-x_20220518_6.zip.
Licence:  texts from WikiNews (CC BY 2.5) and Wikipedia (CC BY-SA 3.0).
Citation: Ruder et al., XTREME-R: Towards more challenging and nuanced multilingual evaluation, arXiv 2104.07412.

It cannot be downloaded whole: the archive leaves the articles' text out, and the script `get-mewsli-x.sh` of that
folder puts it back from WikiNews dumps. Two files of its output are read here, `wikinews_mentions-{dev,test}.jsonl`
and `candidate_set_entities.jsonl`. One line of the first, shortened:

    {"context": {"document_id": "ar-13828", "language": "ar", "text": "قائد الحرس الثوري الإيراني يزور ...",
                 "sentence_spans": [{"start": 0, "end": 44}, {"start": 46, "end": 388}, ...]},
     "mentions": [{"example_id": "2e8eb6fa1b66183927d4ef4bcbe5a149", "entity_id": "Q167217",
                   "mention_span": {"start": 253, "end": 261, "text": "أبو موسى"}}]}

and of the second: `{"entity_id": "Q38768", "title": "Skala Richter", "description": "Skala Richter atau SR ...",
"description_language": "id", "sentence_spans": [{"start": 0, "end": ...}]}`.

Protocol: multilingual; 14,624 test mentions in 11 languages, each against 1,003,893 entities described in one of 50
languages; MRR, macro over languages. With one relevant entity a mention, XTREME-R's figure (MRR cut at 20) is our
`map@20`. Query text as in XTREME-R's baseline: the mention, a colon, and its sentence with the mention in braces;
passage text: the description's sentences. Runs of white space become one space. `languages` chooses queries, never
candidates.

Not run here: the layout was read in the repository's documentation, schema and test data; the files were not at hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pydantic

from tasks.data.cache import cache_folder
from tasks.data.options import local_folder, required_file, selected_languages
from tasks.data.passage_tables import Batches, in_batches, memory_mapped
from tasks.data.records import combined_digest, content_digest, read_json_lines
from tasks.formats.collection import missing_details
from tasks.formats.subsets import MissingPassages
from tasks.plugins import TaskError
from tasks.relevance import locate
from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts

_LANGUAGES = ("ar", "de", "en", "es", "fa", "ja", "pl", "ro", "ta", "tr", "uk")
_CANDIDATES = "candidate_set_entities.jsonl"


class _Span(pydantic.BaseModel):
    start: int
    end: int


class _MentionSpan(_Span):
    text: str


class _Mention(pydantic.BaseModel):
    example_id: str
    entity_id: str
    mention_span: _MentionSpan


class _Context(pydantic.BaseModel):
    document_id: str = ""
    language: str
    text: str
    sentence_spans: list[_Span]


class _Article(pydantic.BaseModel):
    context: _Context
    mentions: list[_Mention]


class _Entity(pydantic.BaseModel):
    entity_id: str
    description: str
    description_language: str
    sentence_spans: list[_Span]


def load(
    *,
    path: Path | None = None,
    languages: tuple[str, ...] | None = None,
    split: Literal["dev", "test"] = "test",
    missing: MissingPassages = "refuse",
) -> Benchmark:
    """Read Mewsli-X.

    Args:
        path: the output folder of `get-mewsli-x.sh`, or a folder `mewslix` that holds its files; `<cache>/mewsli_x`
            by default.
        languages: of the queries; all 11 by default.
        split: which mentions; their entities are disjoint.
        missing: whether entities that are not among the candidates are refused, or count as not retrieved.

    Raises:
        TaskError: data that is missing or malformed, or a language that is not among the 11.
    """
    selected = selected_languages("mewsli_x", languages, _LANGUAGES)
    folder = local_folder("mewsli_x", path, "mewslix") if path else _prepared_folder()
    articles = required_file("mewsli_x", folder / f"wikinews_mentions-{split}.jsonl")
    entities = required_file("mewsli_x", folder / _CANDIDATES)
    queries: dict[str, dict[str, str]] = {language: {} for language in selected}
    copies = dict.fromkeys(selected, 0)
    qrels = {}
    documents = {}
    for language, query, entity, document in _mentions(articles):
        if language not in queries:
            continue
        if document:
            documents[query.id] = document
        if query.id not in qrels:
            queries[language][query.id] = query.text
            qrels[query.id] = {entity: 1}
        elif queries[language].get(query.id) == query.text and entity in qrels[query.id]:
            copies[language] += 1
        else:
            raise TaskError(f"{articles}: mention '{query.id}' occurs twice and differs: remove one of them")
    mapped = memory_mapped("mewsli_x", [entities], lambda: _candidates(entities))
    pools = [Pool(language, language, pool.texts) for language, pool in mapped.pools.items()]
    wanted = sorted({entity for graded in qrels.values() for entity in graded})
    lost = dict.fromkeys(set(wanted) - locate(pools, wanted).keys()) if missing == "count" else {}
    return Benchmark(
        name="mewsli_x",
        revision=combined_digest([mapped.digest, content_digest([articles])]),
        queries={language: Texts.of(map(Query, own.keys(), own.values())) for language, own in queries.items()},
        pools=pools,
        qrels=qrels,
        settings=(Setting.MULTILINGUAL,),
        metrics=("mrr", "map@20"),
        details={"split": split} | missing_details(len(lost)),
        missing=lost,
        copies=copies,
        documents=documents,
    )


def _prepared_folder() -> Path:
    folder = cache_folder() / "mewsli_x"
    if not (folder / _CANDIDATES).is_file():
        raise TaskError(
            "Mewsli-X is published without its articles, so `python -m study.fetch mewsli_x` cannot bring it: run "
            f"get-mewsli-x.sh (see tasks/benchmarks/mewsli_x.py) and put its .jsonl files in {folder}, or name their "
            "folder with the option `path`"
        )
    return folder


def _mentions(file: Path) -> Iterator[tuple[str, Query, str, str]]:
    """Yield language, query, entity and article of every mention."""
    for number, article in read_json_lines(file, _Article):
        for mention in article.mentions:
            try:
                text = _in_its_sentence(article.context, mention.mention_span)
            except ValueError as error:
                raise TaskError(f"{file}, line {number}, mention '{mention.example_id}': {error}") from None
            query = Query(mention.example_id, text)
            yield article.context.language, query, mention.entity_id, article.context.document_id


def _in_its_sentence(context: _Context, mention: _MentionSpan) -> str:
    if not context.text:
        raise ValueError("the article has no text: get-mewsli-x.sh restores it")
    if context.text[mention.start : mention.end] != mention.text:
        raise ValueError(f"'{mention.text}' is not at {mention.start} of the text: another version of the article")
    for sentence in context.sentence_spans:
        if sentence.start <= mention.start and mention.end <= sentence.end:
            before, after = context.text[sentence.start : mention.start], context.text[mention.end : sentence.end]
            return " ".join(f"{mention.text}: {before} {{ {mention.text} }} {after}".split())
    raise ValueError("it lies in no single sentence")


def _candidates(file: Path) -> Batches:
    return in_batches(
        (entity.description_language, Passage(entity.entity_id, _description(entity)))
        for _, entity in read_json_lines(file, _Entity)
    )


def _description(entity: _Entity) -> str:
    sentences = (entity.description[span.start : span.end] for span in entity.sentence_spans)
    return " ".join(" ".join(sentences).split())
