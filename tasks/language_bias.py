"""Metrics of language bias: how an encoder ranks answers to one question that differ in language alone.

They exist in the multilingual setting, where all languages share one ranking.

Shapes: Q ranked lists, R relevant passages of the list that has most, K passages of a list's top.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from tasks.metric import NOT_RETRIEVED, Integers, Lists, Metric, TopLists, Values
from tasks.schema import Setting


def rank_distance(lists: Lists) -> Values:
    """Return the largest minus the smallest position of the retrieved relevant passages; NaN where there is only one.

    Language bias (arXiv 2408.10536, section 4): the further apart the answers to one query in different languages
    rank, the more the encoder prefers some languages. Lower is better.
    """
    retrieved_QR = lists.retrieved()
    largest_Q = np.where(retrieved_QR, lists.positions_QR, 0).max(axis=1)
    smallest_Q = np.where(retrieved_QR, lists.positions_QR, NOT_RETRIEVED).min(axis=1)
    return np.where(retrieved_QR.sum(axis=1) > 1, largest_Q - smallest_Q, np.nan)


def language_preference(lists: Lists) -> Values:
    """Return 1 where the first relevant passage is in the query's language, else 0.

    The mean over queries is the share of queries whose answer in their own language ranks above all its versions in
    other languages (after MLAIRE, arXiv 2605.07249). Without preference it is the mean of 1 / number of languages in
    which a query has an answer, so lower is better. NaN where the retrieved relevant passages are all in the query's
    language, or none is.
    """
    relevant_QR = lists.retrieved()
    own_QR, first_Q = lists.in_query_language(), lists.places().argmin(axis=1)
    first_is_own_Q = np.take_along_axis(own_QR, first_Q[:, None], axis=1)[:, 0]
    own_Q = (own_QR & relevant_QR).any(axis=1)
    other_Q = (~own_QR & relevant_QR).any(axis=1)
    return np.where(own_Q & other_Q, first_is_own_Q.astype(np.float64), np.nan)


def worst_position(lists: Lists) -> Values:
    """Return the largest position of the retrieved relevant passages; NaN where there is only one.

    It is how far a reader has to go to have seen every version of the answer. Lower is better; at best it is the
    number of versions.
    """
    retrieved_QR = lists.retrieved()
    return np.where(retrieved_QR.sum(axis=1) > 1, np.where(retrieved_QR, lists.positions_QR, 0).max(axis=1), np.nan)


def complete(lists: Lists, k: int) -> Values:
    """Return 1 where all relevant passages are within the first k positions, else 0; NaN where there is only one."""
    within_Q = (np.where(lists.positions_QR > 0, lists.places(), 0).max(axis=1) <= k).astype(np.float64)
    return np.where(lists.relevant() > 1, within_Q, np.nan)


def peer(lists: Lists, k: int) -> Values:
    """Return the probability of equal expected rank, PEER@k (arXiv 2405.00978): 1 where languages are treated alike.

    It is the p-value of the Kruskal-Wallis test that relevant passages of all languages rank alike, averaged over
    grades. Positions below k tie at k + 1. A grade counts where several languages have passages of it, and one of them
    several: with one passage per language the statistic is the same whatever the ranking, so that the value is NaN
    for benchmarks of parallel passages, such as XQuAD-R.
    """
    position_QR = np.minimum(lists.positions_QR, k + 1)
    grade_QR = np.where(lists.retrieved(), lists.grades_QR, 0)
    values = []
    for positions, grades, languages in zip(position_QR, grade_QR, lists.language_QR, strict=True):
        tests = [_kruskal_wallis(positions[grades == g], languages[grades == g]) for g in np.unique(grades[grades > 0])]
        known = [p for p in tests if not np.isnan(p)]
        values.append(sum(known) / len(known) if known else np.nan)
    return np.array(values, dtype=np.float64)


def _kruskal_wallis(values: Integers, groups: Integers) -> float:
    """Return the p-value of the test, corrected for ties; NaN where there is one group, or no group of several."""
    from scipy.special import chdtrc  # noqa: PLC0415 - takes long to import, and few benchmarks measure PEER

    _, group_N, size_G = np.unique(groups, return_inverse=True, return_counts=True)
    if len(size_G) < 2 or size_G.max() < 2:
        return float("nan")
    # The rank of equal values is the mean of the ranks that they share.
    _, value_N, count_V = np.unique(values, return_inverse=True, return_counts=True)
    rank_N = (np.cumsum(count_V) - (count_V - 1) / 2)[value_N]
    mean = rank_N.mean()
    total = ((rank_N - mean) ** 2).sum()
    if not total:
        return 1.0
    between = (size_G * (np.bincount(group_N, rank_N) / size_G - mean) ** 2).sum()
    return float(chdtrc(len(size_G) - 1, (len(values) - 1) * between / total))


def mean_rank_correlation(lists: TopLists, k: int) -> Values:
    """Return the mean rank correlation with the language versions of each query, MRC@k (after arXiv 2509.06195).

    For two versions of a question it is Spearman's rank correlation over the union of their best k passages, where
    passages that one of them lacks tie at its rank k + 1: 1 for equal rankings, negative for disjoint ones. NaN where a
    question has one version.
    """
    total_Q, count_Q = np.zeros((2, len(lists.question_Q)))
    languages = np.unique(lists.query_language_Q)
    for first in languages:
        for second in languages[languages > first]:
            of_first, of_second = (np.flatnonzero(lists.query_language_Q == la) for la in (first, second))
            _, i, j = np.intersect1d(lists.question_Q[of_first], lists.question_Q[of_second], return_indices=True)
            pair = of_first[i], of_second[j]
            correlation = _spearman(*(lists.passage_QK[rows][:, :k] for rows in pair))
            for rows in pair:
                total_Q[rows] += correlation
                count_Q[rows] += 1
    return np.asarray(np.divide(total_Q, count_Q, out=np.full_like(total_Q, np.nan), where=count_Q > 0))


def _spearman(first_QK: Integers, second_QK: Integers) -> Values:
    """Return the correlation of the rankings in each row; passages that a row lacks tie behind the last."""
    filled_K = (first_QK >= 0).all(axis=0) & (second_QK >= 0).all(axis=0)
    first_QK, second_QK = first_QK[:, filled_K], second_QK[:, filled_K]
    k = first_QK.shape[1]
    same_QKK = first_QK[:, :, None] == second_QK[:, None, :]
    rank_K = np.arange(1, k + 1)
    missing_Q = k - same_QKK.sum(axis=(1, 2))
    behind_Q = k + (missing_Q + 1) / 2  # the mean rank of the passages that tie
    # Both rankings have the ranks 1 to k and `missing` ties, so they share mean and variance.
    mean_Q = (k + missing_Q + 1) / 2
    own_QK, behind_Q1 = rank_K - mean_Q[:, None], (behind_Q - mean_Q)[:, None]
    variance_Q = (own_QK**2).sum(axis=1) + missing_Q * behind_Q1[:, 0] ** 2
    other_QK = np.where(same_QKK.any(axis=2), (same_QKK * own_QK[:, None, :]).sum(axis=2), behind_Q1)
    covariance_Q = (own_QK * other_QK).sum(axis=1)
    covariance_Q += (np.where(same_QKK.any(axis=1), 0, own_QK) * behind_Q1).sum(axis=1)
    return np.asarray(np.divide(covariance_Q, variance_Q, out=np.ones_like(mean_Q), where=variance_Q > 0))


def first_hit(lists: TopLists, *, relevant: bool, own: bool) -> Values:
    """Return 1 where the first passage is relevant or not, and in the query's language or not, as asked; else 0.

    The four shares add up to 1 and tell failures of content from failures of language (arXiv 2605.07249).
    """
    is_own_Q = lists.language_QK[:, 0] == lists.query_language_Q
    return np.asarray((lists.relevant_QK[:, 0] == relevant) & (is_own_Q == own), dtype=np.float64)


LANGUAGE_BIAS = (
    Metric(
        "rank_distance",
        "rank distance",
        rank_distance,
        description="how far apart the answers to one question in different languages rank; lower is better",
        higher_is_better=False,
        decimals=1,
        bounds=(0, np.inf),
        settings=(Setting.MULTILINGUAL,),
        automatic=("rank_distance",),
    ),
    Metric(
        "language_preference",
        "language preference",
        language_preference,
        description="share of questions first answered in their own language; at best one over the number of languages",
        higher_is_better=False,
        settings=(Setting.MULTILINGUAL,),
        automatic=("language_preference",),
    ),
    Metric(
        "worst_position",
        "worst position",
        worst_position,
        description="position of the last of the answers to one question in different languages; lower is better",
        higher_is_better=False,
        decimals=1,
        bounds=(2, np.inf),
        settings=(Setting.MULTILINGUAL,),
        automatic=("worst_position",),
    ),
    Metric(
        "complete",
        "complete",
        complete,
        description="share of questions whose answers in all languages are among the first k; higher is better",
        cutoff="required",
        settings=(Setting.MULTILINGUAL,),
        automatic=("complete@100",),
    ),
    Metric(
        "peer",
        "PEER",
        peer,
        description="p-value of the hypothesis that answers of all languages rank alike; higher is better",
        cutoff="required",
        settings=(Setting.MULTILINGUAL,),
    ),
    Metric(
        "mrc",
        "MRC",
        mean_rank_correlation,
        description="rank correlation of the best passages for one question in two languages; higher is better",
        cutoff="required",
        bounds=(-1, 1),
        settings=(Setting.MULTILINGUAL,),
        automatic=("mrc@10",),
        needs_top_lists=True,
    ),
    *(
        Metric(
            f"first_hit_{'relevant' if relevant else 'irrelevant'}_{'own' if own else 'other'}_language",
            f"first hit {'relevant' if relevant else 'irrelevant'}, {'own' if own else 'other'} language",
            partial(first_hit, relevant=relevant, own=own),
            description="share of questions; the four kinds of first hits add up to 1",
            higher_is_better=relevant,
            settings=(Setting.MULTILINGUAL,),
            automatic=(f"first_hit_{'relevant' if relevant else 'irrelevant'}_{'own' if own else 'other'}_language",),
            needs_top_lists=True,
        )
        for relevant in (True, False)
        for own in (True, False)
    ),
)
