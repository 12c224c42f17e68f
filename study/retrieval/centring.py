"""Language centring, a baseline that trains nothing: subtract from every embedding the mean of its language.

Embeddings of one language share a direction that says little about their content and makes them rank each other first.
Removing the mean per language and side (queries, passages), x' = normalise(x - mean), is the first step of
arXiv 2109.04727, which removes more directions. With centred passages alone, x' = normalise(x - mean of its language +
mean of the languages' means): queries stay as they are, so that their language need not be known.

Shapes: Q queries, N passages of a block, V windows of a passage, D width.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from study.config_sections import CentringConfig
from study.distributed import sum_over_ranks
from study.retrieval.encode import Encoding, Kind, TextEncoder, encode, encode_passages, share
from study.retrieval.stream import Block
from tasks.relevance import Relevance
from tasks.schema import Benchmark, Corpus, Pool, Rows

Means = Mapping[str, Tensor]
"""Language -> mean embedding (D), the same in every process."""


@dataclass(frozen=True)
class LanguageMeans:
    """Mean embeddings of texts that are not the benchmark's, by language; languages may be missing."""

    source: str = "the benchmark"
    """Source of the texts, in words."""
    queries: Means = field(default_factory=dict)
    passages: Means = field(default_factory=dict)

    def candidates(self, benchmark: Benchmark) -> Means:
        """Return the means of texts that are encoded as the benchmark's candidates are."""
        return self.queries if benchmark.candidate_form == "query" else self.passages


@dataclass(frozen=True)
class View:
    """A benchmark's embeddings as they are, or centred: what positions are counted on."""

    label: str
    """Follows the benchmark's name; empty for embeddings as they are."""
    details: Mapping[str, str]
    """Says how the embeddings were changed."""
    query_QD: Tensor
    shifts: Means = field(default_factory=dict)
    """Vector subtracted from the passages of each language."""

    def passages(self, block: Block, pool: Pool) -> Block:
        """Return a block of passages of `pool` as this view has them."""
        if pool.language not in self.shifts:
            return block
        return block._replace(passage_NVD=F.normalize(block.passage_NVD - self.shifts[pool.language], dim=-1))


def evenly_spaced(count: int, texts: int) -> Rows:
    """Return `texts` of the rows 0 to `count` - 1, or all where there are fewer, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(count, texts)).astype(np.int64))


def centred(
    config: CentringConfig,
    known: LanguageMeans,
    benchmark: Benchmark,
    relevance: Relevance,
    query_QD: Tensor,
    passages: Sequence[Block],
) -> View:
    """Return the centred view of a benchmark; every process must call this.

    Args:
        config: which sides are centred, and on how many texts the means are estimated.
        known: means of other texts; those of languages that are missing are estimated on the benchmark.
        benchmark: what is measured.
        relevance: says which queries take part.
        query_QD: the embeddings of the queries that take part, the same in every process.
        passages: this process's share of, at least, `config.texts` evenly spaced passages of every searched pool.
    """
    means, candidates = _means_of_blocks(benchmark, passages, config.texts, query_QD), known.candidates(benchmark)
    languages = {pool.language for pool in benchmark.pools}
    shifts = means | {language: candidates[language] for language in languages & candidates.keys()}
    transductive = set(shifts) - set(candidates)
    if config.sides == "both":
        query_QD = _centred_queries(benchmark, relevance, query_QD, known.queries, config.texts)
        transductive |= set(benchmark.languages) - set(known.queries)
    else:
        everywhere_D = torch.stack(list(shifts.values())).mean(dim=0)
        shifts = {language: mean - everywhere_D for language, mean in shifts.items()}
    sides = "both sides" if config.sides == "both" else "passages alone"
    details = {"centring": f"{sides}, means of {config.texts} texts per language of {known.source}"}
    if transductive:
        # The means have seen the texts that are then ranked.
        details["transductive"] = ", ".join(sorted(transductive))
    return View(config.label, details, query_QD, shifts)


def _centred_queries(benchmark: Benchmark, relevance: Relevance, query_QD: Tensor, known: Means, texts: int) -> Tensor:
    """Return the queries less the mean of their language, which is the benchmark's own where it is not known."""
    centred_QD = torch.empty_like(query_QD)
    for number in np.unique(relevance.query_language_Q):
        own = torch.from_numpy(np.flatnonzero(relevance.query_language_Q == number))
        sample_QD = query_QD[own[torch.from_numpy(evenly_spaced(len(own), texts))]]
        mean_D = known.get(benchmark.languages[number], sample_QD.double().mean(dim=0).float())
        centred_QD[own] = F.normalize(query_QD[own] - mean_D, dim=-1)
    return centred_QD


def means_of_corpora(encoder: TextEncoder, corpora: Iterable[Corpus], texts: int, encoding: Encoding) -> LanguageMeans:
    """Return means of evenly spaced rows of training corpora, `texts` per corpus and language; collective."""
    corpora = list(corpora)
    queries: dict[str, list[str]] = {}
    passages: dict[str, list[str]] = {}
    for corpus in corpora:
        for language in corpus.languages:
            available = corpus.rows(language)
            rows = np.asarray([available[i] for i in evenly_spaced(len(available), texts)], dtype=np.int64)
            pairs = corpus.pairs(rows, [language] * len(rows), [language] * len(rows))
            queries.setdefault(language, []).extend(pair.query for pair in pairs)
            passages.setdefault(language, []).extend(pair.passage for pair in pairs)
    return _means(encoder, queries, passages, encoding, " and ".join(corpus.name for corpus in corpora))


def means_of_benchmark(encoder: TextEncoder, benchmark: Benchmark, texts: int, encoding: Encoding) -> LanguageMeans:
    """Return means of evenly spaced texts of a benchmark, `texts` per language or pool; collective."""
    queries = {la: held.texts(evenly_spaced(len(held), texts)) for la, held in benchmark.queries.items()}
    passages: dict[str, list[str]] = {}
    for pool in benchmark.pools:
        rows = evenly_spaced(len(pool.passages), texts)
        passages.setdefault(pool.language, []).extend(pool.passages.texts(rows))
    return _means(encoder, queries, passages, encoding, benchmark.name)


def _means(
    encoder: TextEncoder,
    queries: Mapping[str, Sequence[str]],
    passages: Mapping[str, Sequence[str]],
    encoding: Encoding,
    source: str,
) -> LanguageMeans:
    def mean(kind: Kind, texts: Sequence[str]) -> Tensor:
        mine = [texts[i] for i in share(texts)]
        total_D1 = torch.zeros(encoder.width + 1, dtype=torch.float64, device=encoder.device)
        if kind == "query":
            _add(total_D1, encode(encoder, mine, kind, encoding.token_budget))
        else:
            for group in encode_passages(encoder, mine, encoding):
                _add(total_D1, group.passage_NVD)
        return _mean(sum_over_ranks(total_D1))

    return LanguageMeans(
        source,
        {language: mean("query", texts) for language, texts in queries.items() if texts},
        {language: mean("passage", texts) for language, texts in passages.items() if texts},
    )


def _means_of_blocks(benchmark: Benchmark, blocks: Sequence[Block], texts: int, like: Tensor) -> dict[str, Tensor]:
    """Return, by language, the mean of `texts` evenly spaced passages of each pool; `blocks` hold them, and others."""
    languages = sorted({pool.language for pool in benchmark.pools})
    total_LD1 = torch.zeros((len(languages), like.shape[1] + 1), dtype=torch.float64, device=like.device)
    for passage_NVD, number, row_N in blocks:
        pool = benchmark.pools[number]
        sample = torch.from_numpy(evenly_spaced(len(pool.passages), texts)).to(row_N.device)
        _add(total_LD1[languages.index(pool.language)], passage_NVD[torch.isin(row_N, sample)])
    sum_over_ranks(total_LD1)
    return {la: _mean(total_D1) for la, total_D1 in zip(languages, total_LD1, strict=True) if total_D1[-1] > 0}


def _add(total_D1: Tensor, embeddings: Tensor) -> None:
    """Add embeddings (..., D), and in the last place their number, in float64: the order must not matter."""
    rows = embeddings.reshape(-1, embeddings.shape[-1]).double()
    total_D1[:-1] += rows.sum(dim=0)
    total_D1[-1] += len(rows)


def _mean(total_D1: Tensor) -> Tensor:
    return (total_D1[:-1] / total_D1[-1]).float()
