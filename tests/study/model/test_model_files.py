"""Damaged and incomplete folders, each with the sentence that says so."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer, CLIPConfig, CLIPModel, FNetConfig, FNetModel

from study.config import TrialConfig
from study.model.backbone import check_backbone, load_encoder
from study.model.model_files import BackboneError, digest_of, snapshot_of
from tests.study.model.layout_tokenizers import TOKENIZERS
from tests.study.model.layouts import LAYOUTS, rename_weights, update

LABSE = "sentence-transformers/LaBSE"
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d7a2146' * 8}\nsize 12345\n"


def _cut(name: str) -> Callable[[Path], None]:
    def cut(folder: Path) -> None:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])

    return cut


def _point(name: str) -> Callable[[Path], None]:
    return _write(name, POINTER)


def _write(name: str, text: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder / name).write_text(text, "utf-8")

    return write


def _prefix_every_weight(folder: Path) -> None:
    rename_weights(folder, lambda key: f"encoder_q.model.{key}")


def _leave_a_layer_out(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    kept = {key: value for key, value in weights.items() if "attention.self" not in key}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})


def _other_shapes(folder: Path) -> None:
    update(folder / "config.json", {"intermediate_size": 64})


def _without_tokenizer(folder: Path) -> None:
    for name in ("tokenizer.json", "vocab.txt"):
        (folder / name).unlink()


def _tokenizer_of_another_model(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    table = weights["embeddings.word_embeddings.weight"]
    weights["embeddings.word_embeddings.weight"] = torch.cat([table, table, table])
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    update(folder / "config.json", {"vocab_size": 3 * len(table)})


def _adapters(folder: Path) -> None:
    (folder / "config.json").rename(folder / "adapter_config.json")
    update(folder / "adapter_config.json", {"base_model_name_or_path": "intfloat/multilingual-e5-small"})


def _settings(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: update(folder / "config.json", changes)


def _narrower_dense(folder: Path) -> None:
    update(folder / "2_Dense" / "config.json", {"in_features": 16})
    weights = {"linear.weight": torch.zeros(32, 16), "linear.bias": torch.zeros(32)}
    save_file(weights, folder / "2_Dense" / "model.safetensors")


def _images_and_text(folder: Path) -> None:
    layer = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    vision = layer | {"image_size": 16, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config=layer, vision_config=vision, projection_dim=8)).save_pretrained(folder)


def _adapters_beside_the_weights(folder: Path) -> None:
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}', "utf-8")


def _mixing_instead_of_attention(folder: Path) -> None:
    FNetModel(
        FNetConfig(vocab_size=227, hidden_size=32, num_hidden_layers=1, intermediate_size=32, pad_token_id=0)
    ).save_pretrained(folder)


def _pad_token_without_an_embedding(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"pad_token": "<|pad|>"})
    tokenizer.save_pretrained(folder)


def _null_pad_token(folder: Path) -> None:
    TOKENIZERS["gpt2"](folder)
    update(folder / "tokenizer_config.json", {"pad_token": None})
    (folder / "vocab.txt").unlink()


def _shards(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
    shards = {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}), "utf-8")


@pytest.fixture(scope="module")
def labse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return LAYOUTS[LABSE].write(tmp_path_factory.mktemp("models") / LABSE)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_prefix_every_weight, r"the weights in .*LaBSE lack embeddings\.LayerNorm\.bias, .* and \d+ more"),
        (_leave_a_layer_out, r"the weights in .* lack encoder\.layer\.0\.attention\.self\.key\.bias"),
        (_other_shapes, r"has shape \(\d+.*\) where config\.json asks for \(\d+.*\): the files are of two models"),
        (_without_tokenizer, r"LaBSE has no tokenizer vocabulary \(such as tokenizer\.json\)"),
        (_tokenizer_of_another_model, "has 227 tokens and the model embeds 681: it is incomplete"),
        (_null_pad_token, r"tokenizer_config\.json names no pad_token"),
        (_point("model.safetensors"), r"LaBSE/model\.safetensors is a git-lfs pointer"),
        (_point("tokenizer.json"), r"LaBSE/tokenizer\.json is a git-lfs pointer"),
        (_point("2_Dense/model.safetensors"), r"2_Dense/model\.safetensors is a git-lfs pointer"),
        (_cut("model.safetensors"), r"LaBSE/model\.safetensors is cut or not a safetensors file"),
        (_cut("2_Dense/model.safetensors"), r"2_Dense/model\.safetensors is cut or not"),
        (_cut("modules.json"), r"LaBSE/modules\.json is not valid JSON"),
        (_cut("config.json"), r"LaBSE/config\.json is not valid JSON"),
        (_cut("tokenizer.json"), "the tokenizer in .*LaBSE cannot be loaded"),
        (_cut("1_Pooling/config.json"), r"1_Pooling/config\.json is not valid JSON"),
        (_write("model.safetensors", "none"), r"model\.safetensors is cut or not a safetensors file"),
        (_write("modules.json", '{"0": "Transformer"}'), r"modules\.json is not a list of modules"),
        (_write("config.json", "[]"), r"config\.json holds a list where an object is expected"),
        (_write("config.json", '{"model_type": "unheard-of"}'), "cannot be loaded by transformers"),
        (_write("2_Dense/config.json", '{"in_features": 32}'), r"2_Dense/model\.safetensors does not fit"),
        (_narrower_dense, r"2_Dense/config\.json takes 16 features and gets 32"),
        (_settings(hidden_act="unheard-of"), r"LaBSE cannot be loaded by transformers [\d.]+: KeyError: 'unheard-of'"),
        (_settings(hidden_size="wide"), r"config\.json: hidden_size is 'wide' where a number is expected"),
        (_settings(num_hidden_layers=10**6), r"num_hidden_layers is 1,000,000, more than the weights beside it hold"),
        (_settings(vocab_size=10**12), r"vocab_size is 1,000,000,000,000, more than the weights beside it hold"),
        (_settings(auto_map="code.Model"), r"auto_map is 'code\.Model' where an object is expected"),
        (_settings(max_position_embeddings="many"), r"max_position_embeddings is 'many' where a number is expected"),
        (_write("modules.json", "[]"), r"has a modules\.json but no 1_Pooling/config\.json"),
        (_images_and_text, "model type 'clip' reads images or sound"),
        (_adapters_beside_the_weights, r"has an adapter_config\.json beside the weights: merge the adapters into them"),
        (_settings(model_type="dpr"), "is a DPR model, whose class gives no vectors of tokens to pool"),
        (_mixing_instead_of_attention, "model type 'fnet' takes no attention mask"),
        (_pad_token_without_an_embedding, "adds or pads with token 227, and the model embeds 227: resize"),
        (_adapters, "LaBSE holds adapters for 'intfloat/multilingual-e5-small' alone: merge them"),
        (_shards, r"model-00002-of-00002\.safetensors is missing, but model\.safetensors\.index\.json lists it"),
    ],
)
def test_a_damaged_folder_is_refused_before_a_study_and_by_whoever_loads_it(
    labse: Path, tmp_path: Path, damage: Callable[[Path], None], sentence: str
) -> None:
    folder = tmp_path / "LaBSE"
    shutil.copytree(labse, folder)
    damage(folder)
    settings = TrialConfig(backbone=str(folder))
    for use in (check_backbone, lambda trial: load_encoder(trial, torch.device("cpu"))):
        with pytest.raises(BackboneError, match=sentence) as refusal:
            use(settings)
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("damage", "resumable"),
    [
        (_point("model.safetensors"), True),
        (_cut("model.safetensors"), True),
        (_cut("tokenizer.json"), True),
        (_cut("config.json"), True),
        (_without_tokenizer, True),
        (_shards, True),
        (lambda folder: (folder / "model.safetensors").unlink(), True),
        (lambda folder: (folder / "config.json").unlink(), True),
        (_settings(hidden_act="unheard-of"), False),
        (_settings(model_type="dpr"), False),
        (_null_pad_token, False),
    ],
)
def test_a_trial_that_files_of_a_node_have_ended_can_be_resumed_and_one_of_an_unknown_model_cannot(
    labse: Path, tmp_path: Path, damage: Callable[[Path], None], resumable: bool
) -> None:
    folder = tmp_path / "LaBSE"
    shutil.copytree(labse, folder)
    damage(folder)
    with pytest.raises(BackboneError) as refusal:
        load_encoder(TrialConfig(backbone=str(folder)), torch.device("cpu"))
    assert refusal.value.resumable == resumable


def test_what_a_verified_snapshot_of_the_hub_lacks_no_node_has(labse: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models--sentence-transformers--LaBSE" / "snapshots" / ("0" * 40)
    shutil.copytree(labse, folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(BackboneError, match="has no safetensors") as refusal:
        load_encoder(TrialConfig(backbone=str(folder)), torch.device("cpu"))
    assert not refusal.value.resumable


@pytest.mark.parametrize("error", [OSError(errno.EIO, "Input/output error"), MemoryError()])
def test_a_disk_or_memory_that_fails_while_a_model_is_read_ends_no_trial_for_good(
    labse: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AutoConfig, "from_pretrained", Mock(side_effect=error))
    with pytest.raises(BackboneError, match="cannot be loaded by transformers") as refusal:
        load_encoder(TrialConfig(backbone=str(labse)), torch.device("cpu"))
    assert refusal.value.resumable


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"pooling": "pooler"}, "pooling: DistilBertModel in .* has no pooler of its own"),
        ({"lora": {"targets": ["querry"]}}, "lora.targets: .* no linear layer called 'querry'"),
    ],
)
def test_settings_that_a_model_cannot_serve_are_refused_before_a_study(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    name = "distilbert/distilbert-base-multilingual-cased"
    folder = LAYOUTS[name].write(tmp_path / name)
    with pytest.raises(BackboneError, match=sentence):
        check_backbone(TrialConfig.model_validate({"backbone": str(folder)} | changes))


@pytest.mark.parametrize("kind", ["query", "passage"])
def test_a_prefix_that_leaves_no_room_for_text_is_refused_before_a_study_and_by_whoever_loads_it(
    labse: Path, kind: str
) -> None:
    def settings(longest: int) -> TrialConfig:
        prefix = "คำสั่ง: ค้นหาข้อความที่ตอบคำถามต่อไปนี้ "
        return TrialConfig.model_validate(
            {"backbone": str(labse), f"{kind}_prefix": prefix, f"max_{kind}_tokens": longest}
        )

    around = load_encoder(settings(256), torch.device("cpu")).around(kind)  # type: ignore[arg-type]  # both are kinds
    for use in (check_backbone, lambda trial: load_encoder(trial, torch.device("cpu"))):
        use(settings(around + 1))
        sentence = rf"{kind}_prefix 'คำสั่ง: .* leaves no room for text, .* {around} tokens .*raise max_{kind}_tokens"
        with pytest.raises(BackboneError, match=sentence):
            use(settings(around))


def test_weights_in_several_files_are_loaded(labse: Path, tmp_path: Path) -> None:
    folder = tmp_path / "LaBSE"
    shutil.copytree(labse, folder)
    weights = load_file(folder / "model.safetensors")
    halves = [dict(sorted(weights.items())[part::2]) for part in (0, 1)]
    names = [f"model-0000{part}-of-00002.safetensors" for part in (1, 2)]
    for name, half in zip(names, halves, strict=True):
        save_file(half, folder / name, {"format": "pt"})
    listed = {key: name for name, half in zip(names, halves, strict=True) for key in half}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": listed}), "utf-8")
    (folder / "model.safetensors").unlink()
    settings = TrialConfig(backbone=str(folder))
    check_backbone(settings)
    whole = load_encoder(TrialConfig(backbone=str(labse)), torch.device("cpu")).state_dict()
    again = load_encoder(settings, torch.device("cpu")).state_dict()
    assert all(torch.equal(again[key], value) for key, value in whole.items())


def test_a_folder_of_the_hub_s_cache_says_its_model_and_commit() -> None:
    snapshot = Path("/cache/hub/models--team--retriever/snapshots/836121a0e5")
    assert snapshot_of(snapshot) == snapshot_of(snapshot / "0_Transformer") == ("team/retriever", "836121a0e5")
    assert snapshot_of(Path("/models/me5/snapshots/1")) is None


def test_a_digest_is_that_of_the_files_a_model_is_loaded_from(tmp_path: Path) -> None:
    root, folder = tmp_path / "model", tmp_path / "model" / "0_Transformer"
    (root / "1_Pooling").mkdir(parents=True)
    folder.mkdir()
    for file in (root / "modules.json", root / "1_Pooling" / "config.json", folder / "config.json"):
        file.write_text("{}", "utf-8")
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    (folder / "model.safetensors").write_bytes(b"weights")
    before = digest_of(root, folder)
    (root / "eval_results.json").write_text("{}", "utf-8")
    (root / "README.md").write_text("other", "utf-8")
    assert digest_of(root, folder) == before
    for file in (folder / "tokenizer.json", folder / "model.safetensors", root / "1_Pooling" / "config.json"):
        held = file.read_bytes()
        file.write_bytes(held + b" ")
        assert digest_of(root, folder) != before, file
        file.write_bytes(held)
    assert digest_of(root, folder) == before


def test_a_text_with_a_token_that_the_model_does_not_embed_is_refused(labse: Path, tmp_path: Path) -> None:
    folder = tmp_path / "LaBSE"
    shutil.copytree(labse, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["<ทางลัด>"])
    tokenizer.save_pretrained(folder)
    encoder = load_encoder(TrialConfig(backbone=str(folder)), torch.device("cpu"))
    encoder.embed(encoder.tokenize(["ข้อความ"], "query"))
    with pytest.raises(BackboneError, match=r"a text has '<ทางลัด>', the tokenizer's token 227, and the model emb"):
        encoder.embed(encoder.tokenize(["ข้อความ", "ไป <ทางลัด> เลย"], "query"))
