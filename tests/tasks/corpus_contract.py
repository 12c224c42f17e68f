"""What every training corpus keeps to, whatever it is made of: a test calls `check_contract` with one."""

from __future__ import annotations

import numpy as np

from tasks.schema import Corpus


def check_contract(corpus: Corpus) -> None:
    """Read the whole corpus in every way the sampler and the batch maker do."""
    everything = np.arange(len(corpus))
    assert len(corpus) > 0
    assert list(corpus.languages) == sorted(set(corpus.languages))
    languages_of = [corpus.row_languages(row) for row in everything.tolist()]
    assert all(languages and list(languages) == sorted(languages) for languages in languages_of)
    for language in corpus.languages:
        assert list(corpus.rows(language)) == [row for row in everything if language in languages_of[row]]
        assert len(corpus.rows(language)) > 0
    assert list(corpus.rows()) == [row for row in everything if len(languages_of[row]) > 1]
    assert len(corpus.rows("xx")) == 0
    _check_keys(corpus)
    _check_pairs(corpus, languages_of)
    _check_text_keys(corpus, languages_of)
    assert len(set(corpus.ids(everything))) == len(corpus)


def _check_keys(corpus: Corpus) -> None:
    everything = np.arange(len(corpus))
    for identify in (corpus.keys, corpus.components):
        for keys, reversed_keys in zip(identify(everything), identify(everything[::-1]), strict=True):
            assert keys.dtype == np.int64
            assert keys.shape == (len(corpus),)
            assert np.array_equal(keys, reversed_keys[::-1])
    for keys, components in zip(corpus.keys(everything), corpus.components(everything), strict=True):
        # Equal keys lie in one component.
        assert len(set(zip(keys.tolist(), components.tolist(), strict=True))) == len(set(keys.tolist()))


def _check_pairs(corpus: Corpus, languages_of: list[tuple[str, ...]]) -> None:
    fewest = []
    for row, languages in enumerate(languages_of):
        count = len(languages)
        queries, passages = [la for la in languages for _ in languages], list(languages) * count
        pairs = corpus.pairs(np.full(count**2, row), queries, passages)
        assert all(pair.query and pair.passage for pair in pairs)
        # A side depends on its own language alone.
        for i in range(count):
            assert len({pair.query for pair in pairs[i * count : (i + 1) * count]}) == 1
            assert len({(pair.passage, pair.negatives) for pair in pairs[i::count]}) == 1
        assert not any(pair.passage in pair.negatives for pair in pairs)
        fewest.append(min(len(pair.negatives) for pair in pairs))
    assert corpus.fewest_negatives <= min(fewest)


def _check_text_keys(corpus: Corpus, languages_of: list[tuple[str, ...]]) -> None:
    first: dict[object, int] = {}
    expected = []
    for row, languages in enumerate(languages_of):
        pairs = corpus.pairs(np.full(len(languages), row), languages, languages)
        texts = tuple((language, pair.query, pair.passage) for language, pair in zip(languages, pairs, strict=True))
        expected.append(first.setdefault(texts, row))
    _, same, text = np.unique(corpus.text_keys(np.arange(len(corpus))), return_index=True, return_inverse=True)
    assert same[text].tolist() == expected
