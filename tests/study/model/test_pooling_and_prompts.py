"""What a model's name and files decide: pooling, prompts, limits, and what is assumed where they are silent."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer

from study.config import TrialConfig
from study.model.backbone import load_encoder
from study.model.model_files import BackboneError
from study.model.pooling_and_prompts import resolve
from study.model.sentence_transformers_folder import export
from tests.study.model.layouts import INSTRUCTION, LAYOUTS, PROMPTS, update, write

CPU = torch.device("cpu")
TEXTS = ["ใครเขียนบทกวีนี้", "北京是中国的首都。", "ما هي عملة تايلاند؟"]
E5, MULTILINGUAL = "intfloat/multilingual-e5-small", "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
XLMR = "FacebookAI/xlm-roberta-base"


def config(folder: Path, **changes: Any) -> TrialConfig:
    return TrialConfig.model_validate({"backbone": str(folder)} | changes)


def prefixes(folder: Path, **changes: Any) -> tuple[str, str]:
    backbone = resolve(config(folder, **changes))
    return backbone.query_prefix, backbone.passage_prefix


SNAPSHOT = "snapshots/836121a0533e5664b21c7aacc5d22951f2b8b25b"


@pytest.mark.parametrize(
    ("name", "prompts"),
    [
        (
            "models--intfloat--multilingual-e5-small/snapshots/abcdefabcdefabcdefabcdefabcdefabcdefabcd",
            ("query: ", "passage: "),
        ),
        (f"models--sentence-transformers--some-model/{SNAPSHOT}", ("", "")),
        ("stage5", ("", "")),
        ("finetune5", ("", "")),
        ("release5.1", ("", "")),
        ("my-e5.finetuned", ("query: ", "passage: ")),
        ("E5_large_instruct", (f"{INSTRUCTION} ", "")),
        ("mcontriever-msmarco", ("", "")),
        ("contriever", ("", "")),
    ],
)
def test_a_family_is_known_by_whole_words_of_the_models_own_name(
    tmp_path: Path, name: str, prompts: tuple[str, str]
) -> None:
    assert prefixes(LAYOUTS[E5].write(tmp_path / name)) == prompts


@pytest.mark.parametrize("name", ["LaBSE", f"models--sentence-transformers--LaBSE/{SNAPSHOT}"])
def test_labse_is_labse_wherever_it_lies(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS["sentence-transformers/LaBSE"]
    assert prefixes(layout.write(tmp_path / name)) == ("", "")


def test_two_empty_prompts_state_nothing(tmp_path: Path) -> None:
    model = SentenceTransformer(str(LAYOUTS[E5].write(tmp_path / "multilingual-e5-small")), device="cpu")
    folder = tmp_path / "again" / "multilingual-e5-small"
    model.save(str(folder))
    assert '"query": ""' in (folder / PROMPTS).read_text("utf-8")
    assert prefixes(folder) == ("query: ", "passage: ")
    encoder = load_encoder(config(folder), CPU).eval()
    expected = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, prompt="query: ", convert_to_tensor=True)
    with torch.no_grad():
        torch.testing.assert_close(encoder.embed(encoder.tokenize(TEXTS, "query")), expected, atol=1e-5, rtol=0)


def test_a_null_prompt_states_nothing_and_a_prompt_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = LAYOUTS[MULTILINGUAL].write(tmp_path / "model")
    write(folder / PROMPTS, {"prompts": {"query": None, "document": "d: "}})
    assert prefixes(folder) == ("", "d: ")
    write(folder / PROMPTS, {"prompts": {"query": 7}})
    with pytest.raises(BackboneError, match=rf"{PROMPTS} states a prompt 'query' that is no text"):
        resolve(config(folder))


def test_the_trials_own_settings_win_and_leave_nothing_to_assume(tmp_path: Path) -> None:
    folder = LAYOUTS[XLMR].write(tmp_path / "model")
    backbone = resolve(config(folder, pooling="first", query_prefix="", passage_prefix="p "))
    assert (backbone.pooling, backbone.query_prefix, backbone.passage_prefix) == ("first", "", "p ")
    assert backbone.assumed == ()
    assert "assumed" not in backbone.describe()


@pytest.mark.parametrize(
    ("name", "assumed"),
    [
        (XLMR, ["assumed mean pooling", "assumed 'Query: ' and 'Passage: ' as in arXiv 2408.10536"]),
        ("Qwen/Qwen3-0.6B-Base", ["assumed last pooling", "'Query: '"]),
        (E5, ["assumed 'query: ' and 'passage: ' as in E5"]),
        (MULTILINGUAL, []),
        ("google/embeddinggemma-300m", []),
    ],
)
def test_what_the_files_do_not_state_is_assumed_aloud(tmp_path: Path, name: str, assumed: list[str]) -> None:
    said = resolve(config(LAYOUTS[name].write(tmp_path / name))).describe().get("assumed", [])
    assert len(said) == len(assumed)
    assert all(part in line for part, line in zip(assumed, said, strict=True))


def test_prompts_under_other_names_are_named_with_how_to_choose_one(tmp_path: Path) -> None:
    folder = LAYOUTS[MULTILINGUAL].write(tmp_path / "model")
    write(folder / PROMPTS, {"prompts": {"retrieval.query": "q: ", "s2p_query": "s: "}})
    (line,) = resolve(config(folder)).assumed
    assert "retrieval.query, s2p_query can be set with query_prefix and passage_prefix" in line
    assert prefixes(folder) == ("", "")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("checkpoint-500", True),  # of multilingual E5, for example
        ("Linq-Embed-Mistral", True),
        ("paraphrase-multilingual-MiniLM-L12-v2", False),
        ("LaBSE", False),
        ("gte-multilingual-base", False),
    ],
)
def test_files_without_prompts_are_told_unless_the_name_is_of_models_that_need_none(
    tmp_path: Path, name: str, told: bool
) -> None:
    folder = LAYOUTS[MULTILINGUAL].write(tmp_path / name)
    line = "assumed no prompts, as its files state none: set query_prefix and passage_prefix if its card has some"
    assert resolve(config(folder)).assumed == ((line,) if told else ())
    assert resolve(config(folder, query_prefix="คำถาม: ", passage_prefix="")).assumed == ()
    assert prefixes(folder) == ("", "")


@pytest.mark.parametrize(("read", "other"), [("query", "passage"), ("document", "query"), ("passage", "query")])
def test_a_prompt_of_one_side_alone_tells_what_the_other_might_be(tmp_path: Path, read: str, other: str) -> None:
    folder = LAYOUTS[MULTILINGUAL].write(tmp_path / "model")
    write(folder / PROMPTS, {"prompts": {read: "ค้นหา: ", "retrieval.text": "نص: ", "sts": "文: "}})
    line = f"assumed no prompt of a {other}; those named retrieval.text, sts can be set with {other}_prefix"
    assert resolve(config(folder)).assumed == (line,)
    assert resolve(config(folder, **{f"{other}_prefix": "نص: "})).assumed == ()
    write(folder / PROMPTS, {"prompts": {read: "ค้นหา: "}})
    assert resolve(config(folder)).assumed == ()


def test_the_limit_is_that_of_sentence_transformers_and_is_printed(tmp_path: Path) -> None:
    folder = LAYOUTS[MULTILINGUAL].write(tmp_path / "model")  # 128, 512 and 512 tokens
    limits = {"max_query_tokens": 600, "max_passage_tokens": 600}

    def described(**changes: int) -> tuple[int, int]:
        shown = resolve(config(folder, **limits | changes)).describe()
        return shown["max_query_tokens"], shown["max_passage_tokens"]

    assert described() == (128, 128)
    assert described(max_query_tokens=20) == (20, 128)
    update(folder / "tokenizer_config.json", {"model_max_length": 100})
    assert described() == (128, 128)  # what sentence-transformers reads
    write(folder / "sentence_bert_config.json", {"max_seq_length": 90, "query_length": 30, "document_length": 70})
    assert described() == (30, 70)
    update(folder / "config.json", {"max_position_embeddings": 40})
    assert described() == (30, 40)
    write(folder / "sentence_bert_config.json", {"max_seq_length": None})
    assert described() == (40, 40)
    update(folder / "config.json", {"max_position_embeddings": 300})
    assert described() == (100, 100)
    (folder / "sentence_bert_config.json").rename(folder / "sentence_xlm-roberta_config.json")
    write(folder / "sentence_xlm-roberta_config.json", {"max_seq_length": 24})
    assert described() == (24, 24)


def test_roberta_reads_two_tokens_fewer_than_it_states_positions(tmp_path: Path) -> None:
    folder = LAYOUTS[XLMR].write(tmp_path / "model")
    update(folder / "tokenizer_config.json", {"model_max_length": 10**30})
    encoder = load_encoder(config(folder, max_passage_tokens=600), CPU)
    (ids,) = encoder.tokenize(["北京" * 600], "passage")
    assert len(ids) == 512  # of 514
    encoder.embed([ids])


def test_texts_are_lowercased_where_the_files_say_so_before_and_after_export(tmp_path: Path) -> None:
    name = "BAAI/bge-small-en-v1.5"
    encoder = load_encoder(config(LAYOUTS[name].write(tmp_path / name)), CPU)
    export(encoder, tmp_path / "exported", "")
    again = load_encoder(config(tmp_path / "exported"), CPU)
    for one in (encoder, again):
        assert one.tokenize(["ΠΡΩΤΕΥΟΥΣΑ"], "query") == one.tokenize(["πρωτευουσα"], "query")
    write(tmp_path / name / "sentence_bert_config.json", {"max_seq_length": 512, "do_lower_case": False})
    cased = load_encoder(config(tmp_path / name), CPU)
    assert cased.tokenize(["ΠΡΩΤΕΥΟΥΣΑ"], "query") != cased.tokenize(["πρωτευουσα"], "query")


@pytest.mark.parametrize(
    ("file", "change", "sentence"),
    [
        ("sentence_bert_config.json", {"tokenizer_args": {"add_eos_token": True}}, "asks for tokenizer_args"),
        ("sentence_bert_config.json", {"modality_config": {"message": {}}}, "asks for modality_config: message"),
        ("sentence_bert_config.json", {"transformer_task": "fill-mask"}, "asks for transformer_task"),
        (
            "sentence_bert_config.json",
            {"modality_config": {"text": {"method": "forward", "method_output_name": "pooler_output"}}},
            "asks for modality_config: text",
        ),
        ("sentence_bert_config.json", {"module_output_name": "sentence_embedding"}, "asks for module_output_name"),
        (PROMPTS, {"truncate_dim": 8}, "sets truncate_dim"),
        (PROMPTS, {"model_type": "SparseEncoder"}, "says that the model is a SparseEncoder"),
        (PROMPTS, {"similarity_fn_name": "euclidean"}, "asks for similarity_fn_name 'euclidean'"),
    ],
)
def test_files_that_ask_for_what_the_study_does_not_do_are_refused(
    tmp_path: Path, file: str, change: dict[str, Any], sentence: str
) -> None:
    folder = LAYOUTS[MULTILINGUAL].write(tmp_path / "model")
    update(folder / file, change)
    with pytest.raises(BackboneError, match=re.escape(f"{file} ") + sentence):
        resolve(config(folder))


def test_a_model_whose_name_says_dot_product_is_refused_unless_a_file_says_cosine(tmp_path: Path) -> None:
    folder = LAYOUTS[MULTILINGUAL].write(tmp_path / "multi-qa-mpnet-base-dot-v1")
    with pytest.raises(BackboneError, match=r"its name says that they are compared by dot product, .*: write \"simil"):
        resolve(config(folder))
    update(folder / PROMPTS, {"similarity_fn_name": "cosine"})
    assert resolve(config(folder)).pooling == "mean"
    normalized = LAYOUTS["sentence-transformers/all-MiniLM-L6-v2"].write(tmp_path / "multi-qa-MiniLM-L6-dot-v1")
    assert resolve(config(normalized)).pooling == "mean"


def test_a_normalization_of_anything_but_the_pooled_vector_is_refused(tmp_path: Path) -> None:
    folder = LAYOUTS["sentence-transformers/all-MiniLM-L6-v2"].write(tmp_path / "model")
    write(folder / "2_Normalize" / "config.json", {"module_input_name": "sentence_embedding"})
    assert resolve(config(folder)).pooling == "mean"
    write(folder / "2_Normalize" / "config.json", {"module_input_name": "token_embeddings"})
    with pytest.raises(
        BackboneError, match="module_input_name is 'token_embeddings', and the study knows 'sentence_em"
    ):
        resolve(config(folder))


def test_a_module_before_the_pooling_is_refused(tmp_path: Path) -> None:
    folder = LAYOUTS["sentence-transformers/all-MiniLM-L6-v2"].write(tmp_path / "model")
    listed = json.loads((folder / "modules.json").read_text("utf-8"))
    write(folder / "modules.json", [listed[0], listed[2], listed[1]])
    with pytest.raises(BackboneError, match="has a 'Normalize' module before the Pooling"):
        resolve(config(folder))


def test_loading_settings_that_change_no_embedding_are_accepted(tmp_path: Path) -> None:
    folder = LAYOUTS[MULTILINGUAL].write(tmp_path / "model")
    text = {"method": "forward", "method_output_name": "last_hidden_state"}
    named = {"modality_config": {"text": text}, "module_output_name": "token_embeddings"}
    update(folder / "sentence_bert_config.json", {"model_args": {"add_pooling_layer": False}, **named})
    assert resolve(config(folder)).max_passage_tokens == 128


def test_pooling_that_the_trial_sets_lifts_what_the_file_asks_for(tmp_path: Path) -> None:
    folder = LAYOUTS[MULTILINGUAL].write(tmp_path / "model")
    write(folder / "1_Pooling" / "config.json", {"pooling_mode": "mean_sqrt_len_tokens"})
    with pytest.raises(BackboneError, match=r"asks for pooling mean_sqrt_len_tokens: .* set pooling to train"):
        resolve(config(folder))
    assert resolve(config(folder, pooling="mean")).pooling == "mean"
    (folder / "1_Pooling" / "config.json").unlink()
    assert resolve(config(folder, pooling="last")).pooling == "last"


def test_settling_all_of_this_needs_no_torch(tmp_path: Path) -> None:
    folder = LAYOUTS[E5].write(tmp_path / "multilingual-e5-small")
    code = (
        "import sys; from study.config import TrialConfig; from study.model.pooling_and_prompts import resolve;"
        f"print(resolve(TrialConfig(backbone={str(folder)!r})).query_prefix, 'torch' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "query:  False\n"
