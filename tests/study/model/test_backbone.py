from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel

from study.config import BUILTIN_BACKBONES, TrialConfig
from study.model import builtin
from study.model.backbone import load_encoder, uses_bf16
from study.model.encoder import TextForm
from study.model.model_files import BackboneError
from study.model.pooling_and_prompts import resolve
from tasks.errors import NodeError
from tasks.plugins import TaskError
from tests.process_group import RunInGroup
from tests.toy_encoder import byte_tokenizer, toy_encoder

CPU = torch.device("cpu")


def plain_folder(folder: Path) -> Path:
    """A transformer without sentence-transformers files, its pooler included."""
    folder.mkdir(parents=True, exist_ok=True)
    byte_tokenizer().save_pretrained(folder)
    torch.manual_seed(0)
    settings = {"vocab_size": 260, "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    BertModel(BertConfig.from_dict(settings | {"intermediate_size": 64})).save_pretrained(folder)
    return folder


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")


def modules(*kinds: str) -> list[dict[str, Any]]:
    return [
        {"idx": i, "name": str(i), "path": f"{i}_{kind}" if i else "", "type": f"sentence_transformers.models.{kind}"}
        for i, kind in enumerate(kinds)
    ]


def config(folder: Path | str, **changes: Any) -> TrialConfig:
    return TrialConfig.model_validate({"backbone": str(folder)} | changes)


def test_a_plain_transformer_is_pooled_by_the_mean_and_prefixed_as_in_the_paper(tmp_path: Path) -> None:
    found = resolve(config(plain_folder(tmp_path / "xlm-roberta-base")))
    assert (found.pooling, found.query_prefix, found.passage_prefix) == ("mean", "Query: ", "Passage: ")


@pytest.mark.parametrize(
    ("name", "pooling", "prefix"), [("LaBSE", "pooler", ""), ("multilingual-e5-base", "mean", "query: ")]
)
def test_a_known_family_without_files_gets_what_its_authors_say(
    tmp_path: Path, name: str, pooling: str, prefix: str
) -> None:
    found = resolve(config(plain_folder(tmp_path / name)))
    assert (found.pooling, found.query_prefix) == (pooling, prefix)


def test_sentence_transformers_files_decide_pooling_and_prompts(tmp_path: Path) -> None:
    folder = plain_folder(tmp_path / "model")
    write(folder / "modules.json", modules("Transformer", "Pooling", "Normalize"))
    write(folder / "1_Pooling" / "config.json", {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    write(folder / "config_sentence_transformers.json", {"prompts": {"query": "q: ", "document": "d: "}})
    found = resolve(config(folder))
    assert (found.pooling, found.query_prefix, found.passage_prefix) == ("first", "q: ", "d: ")


def test_the_trials_own_settings_win(tmp_path: Path) -> None:
    found = resolve(config(plain_folder(tmp_path / "model"), pooling="first", query_prefix="", passage_prefix="p "))
    assert (found.pooling, found.query_prefix, found.passage_prefix) == ("first", "", "p ")


def test_the_pooler_of_a_labse_without_files_is_dense_and_tanh_over_the_first_token(tmp_path: Path) -> None:
    folder = plain_folder(tmp_path / "LaBSE")
    encoder = load_encoder(config(folder), CPU)
    tokens = encoder.collate(encoder.tokenize(["ใคร", "谁在那里"], "query"))
    model = BertModel.from_pretrained(folder)
    expected = model(**tokens.inputs).pooler_output
    assert torch.allclose(encoder.embed_tokens(tokens), torch.nn.functional.normalize(expected, dim=-1), atol=1e-6)


def test_padding_changes_no_embedding(tmp_path: Path) -> None:
    encoder = load_encoder(config(plain_folder(tmp_path / "model"), compile=True), CPU).eval()
    assert encoder.pads
    short, long = encoder.tokenize(["แมว", "هذه جملة أطول بكثير من الأولى"], "passage")
    together, alone = encoder.embed([short, long]), encoder.embed([short])
    assert torch.allclose(together[0], alone[0], atol=1e-6)
    assert torch.allclose(together.norm(dim=-1), torch.ones(2))


def test_a_dense_layer_is_read_and_applied(tmp_path: Path) -> None:
    folder = plain_folder(tmp_path / "model")
    write(folder / "modules.json", modules("Transformer", "Pooling", "Dense", "Normalize"))
    write(folder / "1_Pooling" / "config.json", {"pooling_mode": "mean", "include_prompt": True})
    write(
        folder / "2_Dense" / "config.json",
        {"in_features": 32, "out_features": 8, "activation_function": "torch.nn.modules.activation.Tanh"},
    )
    weight, bias = torch.randn(8, 32), torch.randn(8)
    save_file({"linear.weight": weight, "linear.bias": bias}, folder / "2_Dense" / "model.safetensors")
    encoder = load_encoder(config(folder), CPU).eval()
    plain = load_encoder(config(folder, pooling="mean"), CPU).eval()
    ids = encoder.tokenize(["ประเทศไทย"], "query")
    assert encoder.width == 8
    assert encoder.embed(ids).shape == (1, 8)
    pooled = plain.transformer(**plain.collate(ids).inputs).last_hidden_state.mean(1)
    expected = torch.nn.functional.normalize(torch.tanh(pooled @ weight.T + bias), dim=-1)
    assert torch.allclose(encoder.embed(ids), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"modules.json": modules("Transformer", "Pooling", "LSTM")}, "asks for a 'LSTM' module"),
        ({"1_Pooling/config.json": {"pooling_mode": "max"}}, "asks for pooling max"),
        ({"1_Pooling/config.json": {"pooling_mode": "mean", "include_prompt": False}}, "asks for pooling"),
    ],
)
def test_files_that_ask_for_the_unknown_are_refused(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    folder = plain_folder(tmp_path / "model")
    write(folder / "modules.json", modules("Transformer", "Pooling"))
    write(folder / "1_Pooling" / "config.json", {"pooling_mode": "mean"})
    for name, value in change.items():
        write(folder / name, value)
    with pytest.raises(BackboneError, match=sentence):
        resolve(config(folder))


def test_pickled_weights_are_never_loaded(tmp_path: Path) -> None:
    folder = plain_folder(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    torch.save(BertModel(BertConfig.from_pretrained(folder)).state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(BackboneError, match="other weight formats are never loaded"):
        load_encoder(config(folder), CPU)


def test_a_name_that_is_nowhere_gets_one_sentence() -> None:
    with pytest.raises(TaskError, match=r"^backbone 'no/such-model' .*local folder"):
        resolve(config("no/such-model"))


def test_texts_are_cut_at_what_the_model_can_position(tmp_path: Path) -> None:
    encoder = load_encoder(config("builtin/xlmr-tiny", max_passage_tokens=10_000), CPU)
    (ids,) = encoder.tokenize(["字 " * 5000], "passage")
    assert len(ids) == 256
    encoder.embed([ids])


def folder_digests(cache: Path) -> dict[str, str]:
    """Written anew: what every file of both folders holds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STUDY_CACHE", str(cache))
        files = [file for name in BUILTIN_BACKBONES for file in builtin.folder(name).rglob("*") if file.is_file()]
        return {file.name + file.parent.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_built_in_backbones_are_the_same_on_every_machine_to_the_last_byte(
    run_in_group: RunInGroup, tmp_path: Path
) -> None:
    together = run_in_group(2, folder_digests, tmp_path / "one")
    assert together[0] == together[1] == folder_digests(tmp_path / "two")
    assert len(together[0]) >= 10


def test_the_built_in_shapes_are_those_of_their_namesakes() -> None:
    xlmr, labse = (resolve(config(name)) for name in BUILTIN_BACKBONES)
    assert (xlmr.pooling, xlmr.heads, xlmr.assumed) == ("mean", (), ())
    assert (labse.pooling, [head.kind for head in labse.heads], labse.assumed) == ("first", ["Dense"], ())
    encoder = load_encoder(config("builtin/xlmr-tiny"), CPU)
    unknown = encoder.tokenizer.unk_token_id
    texts = ["ประเทศไทยใช้สกุลเงินใด", "泰国使用什么货币？", "ما هي عملة تايلاند؟", "Ποιο είναι το νόμισμα;"]
    assert all(unknown not in ids for ids in encoder.tokenize(texts, "query"))


def test_a_text_of_no_token_has_an_embedding() -> None:
    encoder = toy_encoder()
    encoder.tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single="$A")  # no special tokens, as GPT-2
    encoder.forms = {"query": TextForm("", 64), "passage": TextForm("", 64)}
    nothing, something = encoder.tokenize(["", "ใคร"], "passage")
    assert nothing == [encoder.tokenizer.pad_token_id]
    assert torch.isfinite(encoder.embed([nothing, something])).all()


@pytest.mark.parametrize(("ampere", "used"), [(True, True), (False, False)])
def test_a_gpu_that_emulates_bfloat16_computes_in_float32(
    ampere: bool, used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch says that a T4 supports bfloat16 unless it is asked without emulation."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or ampere)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    gpu = torch.device("cuda")
    assert uses_bf16("auto", gpu) == used
    assert not uses_bf16("fp32", gpu)
    if ampere:
        assert uses_bf16("bf16", gpu)
    else:
        with pytest.raises(NodeError, match="precision bf16: Tesla T4 does not compute in bfloat16; set precision"):
            uses_bf16("bf16", gpu)
    assert [uses_bf16(precision, torch.device("cpu")) for precision in ("auto", "bf16", "fp32")] == [False, True, False]
