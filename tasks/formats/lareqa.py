"""LAReQA (arXiv 2004.05484): answer retrieval made of extractive question answering, for XQuAD-R and MLQA-R.

The candidates are the sentences of all paragraphs, one passage per occurrence, without de-duplication: that gives the
published counts. A question's answer is the sentence in which its answer span starts. Language versions of a question
share its id, so each has as many relevant passages in the union of all pools as it has versions.

Texts are the files' own `sentences` and `question`, without the white space some have at their ends; the byte order
marks some start with stay. Two Turkish sentences are not the span of `context` that `sentence_breaks` gives, because a
fraction slash is broken into three characters there. Passage ids are XTREME-R's: language_paragraph_sentence,
paragraphs counted from 1, sentences from 0.

A question is about its article (`Benchmark.documents`): articles were drawn first, then their paragraphs and questions.

`context: sentence+paragraph` is XTREME-R's variant (arXiv 2104.07412): the sentence, then its whole paragraph, scored
by mAP@20. XTREME-R passes the two as a tokenizer's text pair; here a space is between them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pydantic

from tasks.data.options import required_file
from tasks.data.records import Text, content_digest, read_json
from tasks.formats.identity import Version, components
from tasks.plugins import TaskError
from tasks.schema import Benchmark, Pair, Passage, Pool, Query, Setting, Texts

REPOSITORY = "google-research-datasets/lareqa"
COMMIT = "354d67d1cd066854cdfbf5ad0e6105528976141d"
"""This commit has both data sets; MLQA-R was removed later, and XQuAD-R's files did not change."""
Context = Literal["sentence", "sentence+paragraph"]


class _Answer(pydantic.BaseModel):
    answer_start: int


class _Question(pydantic.BaseModel):
    id: str
    question: Text
    answers: list[_Answer] = pydantic.Field(min_length=1, max_length=1)


class _Paragraph(pydantic.BaseModel):
    context: str
    qas: list[_Question]
    sentence_breaks: list[tuple[int, int]]
    sentences: list[Text]

    @pydantic.model_validator(mode="after")
    def _one_break_per_sentence(self) -> Self:
        if len(self.sentence_breaks) != len(self.sentences):
            raise ValueError(f"{len(self.sentence_breaks)} sentence breaks for {len(self.sentences)} sentences")
        return self


class _Article(pydantic.BaseModel):
    paragraphs: list[_Paragraph]


class _File(pydantic.BaseModel):
    data: list[_Article]


def load_folder(name: str, folder: Path, languages: tuple[str, ...], context: Context) -> Benchmark:
    """Read `<language>.json` for each language.

    Raises:
        TaskError: a file is missing or malformed, a question is empty, an answer lies outside every sentence, or a
            question id has two texts.
    """
    files = [required_file(name, folder / f"{language}.json") for language in languages]
    qrels: dict[str, dict[str, int]] = {}
    queries, pools, copies = {}, [], {}
    article_of: dict[str, dict[str, int]] = {}
    for language, file in zip(languages, files, strict=True):
        data = read_json(file, _File).data
        paragraphs = [p for article in data for p in article.paragraphs]
        article_of[language] = {
            question.id: number
            for number, article in enumerate(data)
            for paragraph in article.paragraphs
            for question in paragraph.qas
        }
        passages = []
        for number, paragraph in enumerate(paragraphs, start=1):
            ids = [f"{language}_{number}_{i}" for i in range(len(paragraph.sentences))]
            after = f" {paragraph.context.strip()}" if context == "sentence+paragraph" else ""
            passages += [Passage(i, text + after) for i, text in zip(ids, paragraph.sentences, strict=True)]
            for question in paragraph.qas:
                qrels.setdefault(question.id, {})[ids[_answer_sentence(file, paragraph, question)]] = 1
        questions = [question for paragraph in paragraphs for question in paragraph.qas]
        queries[language] = Texts.of(_distinct(file, questions))
        copies[language] = len(questions) - len(queries[language])
        pools.append(Pool(language, language, Texts.of(passages)))
    metrics = Benchmark.metrics if context == "sentence" else ("map@20", *Benchmark.metrics)
    return Benchmark(
        name=name,
        revision=content_digest(files),
        queries=queries,
        pools=pools,
        qrels=qrels,
        settings=tuple(Setting),
        metrics=metrics,
        details={"context": context},
        copies=copies,
        documents=_articles(list(qrels), article_of.values()),
    )


def _articles(ids: list[str], article_of: Iterable[Mapping[str, int]]) -> dict[str, str]:
    """Return the article of each question: versions of a question are about versions of one article."""
    row_of = {key: row for row, key in enumerate(ids)}
    rows = [sorted((row_of[key], article) for key, article in own.items()) for own in article_of]
    versions = (Version(*np.array(own, dtype=np.int64).reshape(-1, 2).T) for own in rows)
    return {key: f"article {first}" for key, first in zip(ids, components(len(ids), versions).tolist(), strict=True)}


def _distinct(file: Path, questions: list[_Question]) -> Iterator[Query]:
    """Yield each question once."""
    text_of: dict[str, str] = {}
    for question in questions:
        if question.id not in text_of:
            text_of[question.id] = question.question
            yield Query(question.id, question.question)
        elif text_of[question.id] != question.question:
            raise TaskError(f"{file}: question '{question.id}' has two texts: remove one of them")


def read_pairs(file: Path) -> Iterator[tuple[str, Pair]]:
    """Yield the id of each question in one file, and the question with the sentence in which its answer starts.

    Raises:
        TaskError: the file is malformed, a question is empty, or an answer starts outside every sentence.
    """
    for article in read_json(file, _File).data:
        for paragraph in article.paragraphs:
            for question in paragraph.qas:
                sentence = paragraph.sentences[_answer_sentence(file, paragraph, question)]
                yield question.id, Pair(question.question, sentence)


def _answer_sentence(file: Path, paragraph: _Paragraph, question: _Question) -> int:
    """Return the index of the sentence in which the answer to a question starts."""
    offset = question.answers[0].answer_start
    for index, (start, end) in enumerate(paragraph.sentence_breaks):
        if start <= offset < end:
            return index
    raise TaskError(f"{file}: the answer to question '{question.id}' starts in no sentence")
