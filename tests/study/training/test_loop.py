from __future__ import annotations

import platform
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from study.config import TrialConfig
from study.distributed import rank
from study.model.lora import add_adapters
from study.results import layout
from study.training import checkpoint
from study.training.loop import Report, Training
from tasks.errors import NodeError
from tests.process_group import RunInGroup
from tests.toy_corpus import ToyCorpus
from tests.toy_encoder import toy_encoder

STEPS = 6
EVERYTHING = {
    "lora": {"rank": 4, "dropout": 0.1},
    "temperature_learning_rate": 1e-2,
    "gradient_caching": True,
    "gradient_checkpointing": True,
    "micro_batch_tokens": 200,
}


def training(*, packed: bool = True, **changes: Any) -> Training:
    settings = {"batch_size": 8, "steps": STEPS, "learning_rate": 1e-2, "validation": {"every": 3}, "temperature": 0.2}
    config = TrialConfig.model_validate(settings | changes)
    encoder = toy_encoder(dropout=0.1, packed=packed)
    if config.lora:
        add_adapters(encoder, config.lora, config.seed)
    return Training(config, encoder, [ToyCorpus.parallel(40, ("ar", "th", "zh"))])


def trained(held: Training) -> list[nn.Parameter]:
    return [p for p in (*held.encoder.parameters(), *held.temperature.parameters()) if p.requires_grad]


def flat(held: Training) -> Tensor:
    parameters = trained(held)
    moments = [state[name] for state in map(held.optimizer.state.get, parameters) if state for name in sorted(state)]
    return torch.cat([value.detach().flatten() for value in [*parameters, *moments]])


def undisturbed(**changes: Any) -> Tensor:
    held = training(**changes)
    for _ in held.run():
        pass
    return flat(held)


def interrupted(folder: Path, **changes: Any) -> Tensor:
    """Stop after the first validation, save, and go on in an encoder and optimizer that know nothing."""
    first = training(**changes)
    next(report for report in first.run() if report.due_validation)
    if rank() == 0:
        checkpoint.save(folder, first.encoder, first.optimizer, first.progress)
    if torch.distributed.is_initialized():
        torch.distributed.barrier()
    torch.manual_seed(99)
    second = training(**changes)
    with torch.no_grad():
        for parameter in trained(second):
            parameter.zero_()
    second.progress = checkpoint.restore(folder, second.encoder, second.optimizer)
    assert second.progress.step == 3
    for _ in second.run():
        pass
    return flat(second)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("changes", [{}, EVERYTHING], ids=["plain", "adapters, learned temperature, caching"])
def test_stopping_and_going_on_equals_never_having_stopped_bit_for_bit(
    run_in_group: RunInGroup, tmp_path: Path, processes: int, changes: dict[str, Any]
) -> None:
    whole = run_in_group(processes, undisturbed, **changes)
    resumed = run_in_group(processes, interrupted, tmp_path, **changes)
    for one, other in zip(whole, resumed, strict=True):
        assert torch.equal(one, other)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    assert torch.equal(undisturbed(), undisturbed())
    other = training(seed=1)
    for _ in other.run():
        pass
    assert not torch.equal(flat(other), undisturbed())


def test_validations_are_due_at_every_multiple_and_at_the_last_step() -> None:
    reports = list(training(steps=5, validation={"every": 2}).run())
    assert [report.metrics["step"] for report in reports if report.due_validation] == [2, 4, 5]


def test_training_stops_when_patience_is_over() -> None:
    held = training(steps=20, validation={"every": 2, "patience": 4})
    seen: list[Report] = []
    for report in held.run():
        seen.append(report)
        if report.due_validation:
            held.validated(0.5 if held.progress.step > 2 else 0.9, {})
    assert seen[-1].metrics["step"] == 6
    assert held.progress.best_step == 2
    assert list(held.run()) == []


@pytest.mark.parametrize("steps", [9, 20, 40])
def test_patience_is_asked_after_validations_alone_however_often_progress_is_reported(steps: int) -> None:
    held = training(steps=steps, validation={"every": 4, "patience": 2})
    reports = []
    for report in held.run():
        reports.append(report)
        if report.due_validation:
            held.validated(-held.progress.step, {})
    assert [report.metrics["step"] for report in reports if report.due_validation] == [4, 8]
    assert reports[-1].due_validation


def test_seconds_of_training_leave_out_what_is_done_between_two_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("study.training.loop.time", SimpleNamespace(monotonic=lambda: clock[0]))
    held = training()
    for _ in held.run(stepped=lambda _: clock.__setitem__(0, clock[0] + 1)):
        clock[0] += 100
    assert [entry["train_seconds"] for entry in held.progress.history] == [1, 2, 3, 4, 5, 6]


def test_the_earliest_of_equal_scores_is_the_best_and_history_holds_them_all() -> None:
    held = training()
    best = [held.validated(0.5, {"validation/loss": 2.0}) for report in held.run() if report.due_validation]
    assert best == [True, False]
    assert held.progress.best_step == 3
    assert [entry["step"] for entry in held.progress.history] == list(range(1, STEPS + 1))
    assert [entry["step"] for entry in held.progress.history if "validation/loss" in entry] == [3, 6]


@pytest.mark.parametrize("file", [checkpoint.WEIGHTS, checkpoint.OPTIMIZER, layout.PROGRESS])
@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_a_damaged_checkpoint_is_refused_and_leaves_the_encoder_as_it_was(
    tmp_path: Path, file: str, damage: str
) -> None:
    held = training()
    next(iter(held.run()))
    checkpoint.save(tmp_path, held.encoder, held.optimizer, held.progress)
    content = (tmp_path / file).read_bytes()
    (tmp_path / file).unlink()
    if damage == "cut short":
        (tmp_path / file).write_bytes(content[: len(content) // 2])
    fresh = training()
    before = flat(fresh)
    with pytest.raises(checkpoint.CheckpointError, match="cannot be read"):
        checkpoint.restore(tmp_path, fresh.encoder, fresh.optimizer)
    assert torch.equal(flat(fresh), before)


def test_a_checkpoint_whose_weights_or_moments_have_other_shapes_is_refused_before_anything_is_loaded(
    tmp_path: Path,
) -> None:
    held = training()
    next(iter(held.run()))
    checkpoint.save(tmp_path, held.encoder, held.optimizer, held.progress)
    for file in (checkpoint.OPTIMIZER, checkpoint.WEIGHTS):
        tensors = load_file(tmp_path / file)
        save_file({name: tensor.flatten().repeat(2) for name, tensor in tensors.items()}, tmp_path / file)
        fresh = training()
        before = flat(fresh)
        with pytest.raises(checkpoint.CheckpointError, match="other weights than the encoder trains"):
            checkpoint.restore(tmp_path, fresh.encoder, fresh.optimizer)
        assert torch.equal(flat(fresh), before)


def test_a_learned_temperature_is_in_every_report_moves_and_is_the_same_on_every_rank(run_in_group: RunInGroup) -> None:
    one, other = run_in_group(2, temperatures)
    assert one == other
    assert len(one) == STEPS
    assert len(set(one)) == STEPS


def temperatures() -> list[float]:
    return [report.metrics["temperature_now"] for report in training(temperature_learning_rate=1e-2).run()]


def test_a_node_without_a_compiler_is_named_and_ends_no_trial_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "ไม่มี++")
    with pytest.raises(NodeError, match=rf"no C\+\+ compiler 'ไม่มี\+\+' on {platform.node()}; install it"):
        training(packed=False, compile=True)
    assert NodeError.resumable


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_transformer_loses_what_it_loses_otherwise_with_the_same_dropout() -> None:
    changes = {"steps": 2, "gradient_caching": True, "validation": {"every": 1}}
    plain, compiled = (
        [report.metrics["loss"] for report in training(packed=False, compile=c, **changes).run()] for c in (False, True)
    )
    assert compiled == pytest.approx(plain, rel=1e-4)
