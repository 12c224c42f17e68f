from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from study.distributed import rank
from study.retrieval import evaluation, evaluation_checkpoint
from study.retrieval.encode import Encoding
from study.retrieval.evaluation import Evaluation, Outputs, evaluate
from tasks.schema import Passage, Pool, Texts
from tests.hashing_encoder import HashingEncoder
from tests.parallel_benchmark import parallel_benchmark
from tests.process_group import RunInGroup

BLOCKS = Encoding(block_size=10)


class CutShortError(RuntimeError):
    """Stands for whatever ends an evaluation."""


class Mortal(HashingEncoder):
    """Encodes so many batches, and no more."""

    def __init__(self, batches: int) -> None:
        super().__init__()
        self._left = batches

    def embed(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        if not self._left:
            raise CutShortError
        self._left -= 1
        return super().embed(token_ids)


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation_checkpoint, "SAVE_EVERY_S", 0.0)


def texts_of(encoder: HashingEncoder) -> int:
    return sum(map(len, encoder.embedded))


def cut_short(folder: Path, batches: int) -> None:
    with pytest.raises(CutShortError):
        evaluate(Mortal(batches), parallel_benchmark(), BLOCKS, outputs=Outputs(partial=folder))


@pytest.mark.parametrize("batches", [1, 10, 20])
def test_an_evaluation_cut_short_goes_on_where_it_was_with_the_same_result(tmp_path: Path, batches: int) -> None:
    whole = HashingEncoder()
    expected = evaluate(whole, parallel_benchmark(), BLOCKS)
    cut_short(tmp_path, batches)
    resumed, seen = HashingEncoder(), []
    result = evaluate(
        resumed,
        parallel_benchmark(),
        BLOCKS,
        outputs=Outputs(partial=tmp_path),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert result.result() == expected.result()
    assert result.positions.equals(expected.positions)
    assert result.examples == expected.examples
    assert seen[-1][0] == seen[-1][1]
    # Queries and relevant passages are encoded again, the other passages counted before are not.
    assert (texts_of(resumed) < texts_of(whole)) == (batches > 1)


def test_a_process_that_has_counted_everything_keeps_its_counts_until_the_others_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others_failed(*_: object) -> None:
        raise CutShortError

    expected = evaluate(HashingEncoder(), parallel_benchmark(), BLOCKS)
    with monkeypatch.context() as patched:
        patched.setattr(evaluation, "measured_positions", others_failed)
        with pytest.raises(CutShortError):
            evaluate(HashingEncoder(), parallel_benchmark(), BLOCKS, outputs=Outputs(partial=tmp_path))
    again = HashingEncoder()
    result = evaluate(again, parallel_benchmark(), BLOCKS, outputs=Outputs(partial=tmp_path))
    assert result.positions.equals(expected.positions)
    benchmark = parallel_benchmark()
    relevant = {passage for grades in benchmark.qrels.values() for passage in grades}
    queries = sum(map(len, benchmark.queries.values()))
    assert texts_of(again) <= queries + len(relevant), "no other passage is encoded again"


def test_other_queries_start_anew(tmp_path: Path) -> None:
    cut_short(tmp_path, 20)
    benchmark = parallel_benchmark()
    thai = replace(benchmark, queries={"th": benchmark.queries["th"]})
    expected = evaluate(HashingEncoder(), thai, BLOCKS)
    assert evaluate(HashingEncoder(), thai, BLOCKS, outputs=Outputs(partial=tmp_path)).result() == expected.result()


def test_other_passages_that_answer_no_query_start_anew(tmp_path: Path) -> None:
    benchmark = parallel_benchmark()
    relevant = {passage for grades in benchmark.qrels.values() for passage in grades}

    def changed(pool: Pool) -> Pool:
        rows = zip(pool.passages.ids(), pool.passages.texts(), strict=True)
        rewritten = ((name, text if name in relevant else name) for name, text in rows)
        return pool._replace(passages=Texts.of(Passage(name, text) for name, text in rewritten))

    cut_short(tmp_path, 20)
    other = replace(benchmark, revision="2", pools=[changed(pool) for pool in benchmark.pools])
    expected = evaluate(HashingEncoder(), other, BLOCKS)
    assert evaluate(HashingEncoder(), other, BLOCKS, outputs=Outputs(partial=tmp_path)).result() == expected.result()


def test_a_damaged_file_costs_time_and_nothing_else(tmp_path: Path) -> None:
    cut_short(tmp_path, 20)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    expected = evaluate(HashingEncoder(), parallel_benchmark(), BLOCKS)
    again = evaluate(HashingEncoder(), parallel_benchmark(), BLOCKS, outputs=Outputs(partial=tmp_path))
    assert again.result() == expected.result()


def test_counts_of_other_code_are_not_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, again = HashingEncoder(), HashingEncoder()
    expected = evaluate(whole, parallel_benchmark(), BLOCKS)
    cut_short(tmp_path, 20)
    monkeypatch.setattr(evaluation_checkpoint, "project_version", lambda: "0123abcd")
    result = evaluate(again, parallel_benchmark(), BLOCKS, outputs=Outputs(partial=tmp_path))
    assert texts_of(again) == texts_of(whole)
    assert result.positions.equals(expected.positions)


@pytest.mark.parametrize("change", ["one is missing", "one has another shape"])
def test_a_file_whose_last_tensor_is_not_as_expected_leaves_no_count_behind(tmp_path: Path, change: str) -> None:
    cut_short(tmp_path, 20)
    (file,) = tmp_path.iterdir()
    with safe_open(file, framework="pt") as saved:
        metadata, tensors = saved.metadata(), {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
    last = max(name for name in tensors if name.startswith("best"))
    if change == "one is missing":
        del tensors[last]
    else:
        tensors[last] = tensors[last][:, :-1].contiguous()
    save_file(tensors, file, metadata)
    expected = evaluate(HashingEncoder(), parallel_benchmark(), BLOCKS)
    again = evaluate(HashingEncoder(), parallel_benchmark(), BLOCKS, outputs=Outputs(partial=tmp_path))
    assert again.result() == expected.result()
    assert again.positions.equals(expected.positions)


def cut_short_at_different_places(folder: Path) -> tuple[Evaluation, int]:
    encoder = HashingEncoder()
    with patch.object(evaluation_checkpoint, "SAVE_EVERY_S", 0.0):  # this process serves other tests too
        with pytest.raises(CutShortError):
            evaluate(Mortal(7 + 2 * rank()), parallel_benchmark(), BLOCKS, outputs=Outputs(partial=folder))
        return evaluate(encoder, parallel_benchmark(), BLOCKS, outputs=Outputs(partial=folder)), texts_of(encoder)


def test_each_process_goes_on_from_its_own_place(run_in_group: RunInGroup, tmp_path: Path) -> None:
    expected = evaluate(HashingEncoder(), parallel_benchmark())
    first, second = run_in_group(2, cut_short_at_different_places, tmp_path)
    for result, _ in (first, second):
        assert result.result() == expected.result()
        assert result.positions.equals(expected.positions)
        assert result.examples == expected.examples
    assert second[1] < first[1]
