"""Exported folders give the same embeddings to sentence-transformers and to our own loading path."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor, nn

from study.config import TrialConfig
from study.model.backbone import load_encoder
from study.model.encoder import Dense, Encoder, Kind
from study.model.pooling_and_prompts import resolve
from study.model.sentence_transformers_folder import ExportError, export
from tests.toy_encoder import toy_encoder

TEXTS = [
    "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
    "北京",
    "ما العملة القانونية في دولة المكسيك؟",
    "Αθήνα",
    "คำถามที่ยาวมาก " * 20,  # beyond every limit
]
CPU = torch.device("cpu")


def encoder(pooling: str, *, dense: int | None = None, biased: bool = True) -> Encoder:
    held = toy_encoder(pooling=pooling).eval()
    if dense:
        torch.manual_seed(1)
        held.heads = nn.Sequential(Dense(nn.Linear(32, dense, bias=biased), nn.Tanh()))
    return held


def embeddings(held: Encoder, kind: Kind) -> Tensor:
    with torch.no_grad():
        return held.eval().embed(held.tokenize(TEXTS, kind))


def assert_equal(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "held",
    [
        encoder("mean"),
        encoder("first"),
        encoder("pooler"),
        encoder("first", dense=32),  # LaBSE
        encoder("mean", dense=16, biased=False),
    ],
    ids=["mean", "first", "pooler", "first, dense, tanh", "mean, dense without bias"],
)
def test_both_ways_to_load_an_export_give_our_embeddings(held: Encoder, tmp_path: Path) -> None:
    export(held, tmp_path / "model", "# บัตร\n")
    theirs = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    again = load_encoder(TrialConfig(backbone=str(tmp_path / "model"), max_passage_tokens=64), CPU)
    for kind, encode in (("query", theirs.encode_query), ("passage", theirs.encode_document)):
        ours = embeddings(held, kind)  # type: ignore[arg-type]  # both are kinds
        assert_equal(torch.from_numpy(encode(TEXTS)), ours)
        assert_equal(embeddings(again, kind), ours)  # type: ignore[arg-type]  # both are kinds
    assert theirs.get_embedding_dimension() == held.width == again.width
    assert theirs.prompts == {"query": "Query: ", "document": "Passage: "}
    assert theirs.max_seq_length == 64
    assert theirs.similarity_fn_name == "cosine"
    assert (tmp_path / "model" / "README.md").read_text("utf-8") == "# บัตร\n"


def test_an_export_without_prompts_has_none_whatever_its_name(tmp_path: Path) -> None:
    config = TrialConfig(backbone="builtin/xlmr-tiny", query_prefix="", passage_prefix="")
    held = load_encoder(config, CPU)
    export(held, tmp_path / "e5-mini-0000", "")
    theirs = SentenceTransformer(str(tmp_path / "e5-mini-0000"), device="cpu")
    again = load_encoder(TrialConfig(backbone=str(tmp_path / "e5-mini-0000")), CPU)
    assert_equal(embeddings(again, "query"), embeddings(held, "query"))
    assert_equal(torch.from_numpy(theirs.encode_query(TEXTS[:-1])), embeddings(held, "query")[:-1])
    assert resolve(TrialConfig(backbone=str(tmp_path / "e5-mini-0000"))).assumed == ()


def test_exporting_leaves_the_encoder_as_it_was(tmp_path: Path) -> None:
    held = encoder("pooler")
    before = embeddings(held, "query")
    export(held, tmp_path / "model", "")
    assert torch.equal(embeddings(held, "query"), before)


@pytest.mark.parametrize("name", ["builtin/xlmr-tiny", "builtin/labse-tiny"])
def test_a_built_in_backbone_survives_the_round_trip(name: str, tmp_path: Path) -> None:
    config = TrialConfig(backbone=name)
    held = load_encoder(config, CPU)
    export(held, tmp_path / "model", "")
    again = load_encoder(config.model_copy(update={"backbone": str(tmp_path / "model")}), CPU)
    theirs = SentenceTransformer(str(tmp_path / "model"), device="cpu")
    assert_equal(embeddings(again, "query"), embeddings(held, "query"))
    # Below the limits, of which sentence-transformers has one for both kinds.
    assert_equal(torch.from_numpy(theirs.encode_query(TEXTS[:4])), embeddings(held, "query")[:4])


def test_a_folder_that_exists_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    with pytest.raises(ExportError, match="model exists: choose another --output"):
        export(encoder("mean"), tmp_path / "model", "")
    assert list((tmp_path / "model").iterdir()) == []


def test_a_pooler_of_another_kind_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    held = encoder("pooler")
    held.transformer.pooler.activation = nn.ReLU()
    with pytest.raises(ExportError, match="the pooler BertPooler cannot be exported"):
        export(held, tmp_path / "model", "")
    assert list(tmp_path.iterdir()) == []


def test_an_export_needs_no_code_of_the_backbone_s_repository(tmp_path: Path) -> None:
    held = encoder("mean")
    held.transformer.config.auto_map = {"AutoConfig": "owner/code--configuration.C", "AutoModel": "modeling.M"}
    held.tokenizer.init_kwargs["auto_map"] = {"AutoTokenizer": ["tokenization.T", None]}
    export(held, tmp_path / "model", "")
    assert "auto_map" not in "".join(file.read_text("utf-8") for file in (tmp_path / "model").glob("*.json"))
    assert not list((tmp_path / "model").rglob("*.py"))
    for trust in (False, True):
        theirs = SentenceTransformer(str(tmp_path / "model"), device="cpu", trust_remote_code=trust)
        assert_equal(torch.from_numpy(theirs.encode_query(TEXTS)), embeddings(held, "query"))
