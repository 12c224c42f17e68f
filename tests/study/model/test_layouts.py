"""Public layouts against sentence-transformers, which most of them were published for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from sentence_transformers import SentenceTransformer
from torch import Tensor

from study.config import TrialConfig
from study.model.backbone import check_backbone, load_encoder
from study.model.encoder import Encoder, Kind
from study.model.model_files import BackboneError
from study.model.pooling_and_prompts import resolve
from study.model.sentence_transformers_folder import export
from study.training.loop import Training
from tests.study.model.layouts import INSTRUCTION, LAYOUTS, REFUSED, Layout, update
from tests.toy_corpus import ToyCorpus

CPU = torch.device("cpu")
TEXTS = ["ใครเขียนบทกวีนี้", "北京", "ما هي عملة تايلاند؟", "Ποια είναι η ΠΡΩΤΕΥΟΥΣΑ;", "北京是中国的首都。ไทย" * 60]
"""The last is longer than most models' limits."""
WITHOUT_LIMITS = {"max_query_tokens": 10_000, "max_passage_tokens": 10_000}
KINDS: tuple[Kind, Kind] = ("query", "passage")

PAPER = ("Query: ", "Passage: ")
E5 = ("query: ", "passage: ")
PROMPTS = {name: PAPER for name, layout in LAYOUTS.items() if not layout.modules} | {
    "facebook/mcontriever-msmarco": ("", ""),
    "intfloat/multilingual-e5-small": E5,
    "intfloat/multilingual-e5-base": E5,
    "intfloat/multilingual-e5-large": E5,
    "intfloat/multilingual-e5-large-instruct": (f"{INSTRUCTION} ", ""),
    "intfloat/e5-mistral-7b-instruct": (f"{INSTRUCTION} ", ""),
    "Snowflake/snowflake-arctic-embed-l-v2.0": ("query: ", ""),
    "Snowflake/snowflake-arctic-embed-m-v2.0": ("query: ", ""),
    "Qwen/Qwen3-Embedding-0.6B": (INSTRUCTION, ""),
    "google/embeddinggemma-300m": ("task: search result | query: ", "title: none | text: "),
}
"""The prompts that each model's authors give, none for the others."""

Folder = Callable[[str, Layout], Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    root = tmp_path_factory.mktemp("models")

    def written(name: str, layout: Layout) -> Path:
        return root / name if (root / name).is_dir() else layout.write(root / name)

    return written


def config(path: Path, **changes: Any) -> TrialConfig:
    loss = {"batch_size": 8, "steps": 2, "learning_rate": 1e-2, "temperature": 1.0}  # far from 0 at random weights
    settings = {"backbone": str(path), **loss, **WITHOUT_LIMITS}
    return TrialConfig.model_validate(settings | changes)


def embeddings(encoder: Encoder, kind: Kind) -> Tensor:
    with torch.no_grad():
        return encoder.eval().embed(encoder.tokenize(TEXTS, kind))


def theirs(path: Path, prompt: str) -> Tensor:
    model = SentenceTransformer(str(path), device="cpu", trust_remote_code=False)
    embedding: Tensor = model.encode(TEXTS, prompt=prompt, normalize_embeddings=True, convert_to_tensor=True)
    return embedding


def trained(settings: TrialConfig) -> Training:
    """Train two steps; every parameter that is trained must have a gradient in each."""
    training = Training(settings, load_encoder(settings, CPU), [ToyCorpus.parallel(20, ("ar", "th", "zh"))])
    parameters = {name: p for name, p in training.encoder.named_parameters() if p.requires_grad}
    without: list[str] = []
    training.optimizer.register_step_pre_hook(
        lambda *_: without.extend(n for n, p in parameters.items() if p.grad is None)
    )
    before = {name: parameter.detach().clone() for name, parameter in parameters.items()}
    assert len(list(training.run())) == 2
    assert without == []
    assert any((parameter != before[name]).any() for name, parameter in parameters.items())
    return training


def assert_equal(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_published_model_embeds_as_in_sentence_transformers_with_its_authors_prompts(
    folder: Folder, name: str
) -> None:
    path = folder(name, LAYOUTS[name])
    encoder = load_encoder(config(path), CPU)
    prompts = PROMPTS.get(name, ("", ""))
    for kind, prompt in zip(KINDS, prompts, strict=True):
        assert encoder.forms[kind].prefix == prompt
        assert_equal(embeddings(encoder, kind), theirs(path, prompt))
    assert (embeddings(encoder, "query")[0] - embeddings(encoder, "query")[1]).abs().max() > 1e-3


@pytest.mark.parametrize("lora", [None, {"rank": 2}], ids=["all weights", "adapters"])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_published_model_is_trained_and_its_export_is_the_same_in_sentence_transformers(
    folder: Folder, tmp_path: Path, name: str, lora: dict[str, int] | None
) -> None:
    path = folder(name, LAYOUTS[name])
    before = embeddings(load_encoder(config(path), CPU), "query")
    encoder = trained(config(path, lora=lora, max_query_tokens=128, max_passage_tokens=64)).encoder
    expected = embeddings(encoder, "query")[:4]
    assert (expected - before[:4]).abs().max() > 1e-4
    export(encoder, tmp_path / "exported", "")
    assert_equal(theirs(tmp_path / "exported", encoder.forms["query"].prefix)[:4], expected)
    again = load_encoder(config(tmp_path / "exported"), CPU)
    assert_equal(embeddings(again, "query")[:4], expected)


SAVED_AGAIN = [
    "google/mt5-base",
    "Qwen/Qwen3-Embedding-0.6B",
    "google/embeddinggemma-300m",
    "sentence-transformers/gtr-t5-base",
    "sentence-transformers/distiluse-base-multilingual-cased-v2",
    "Muennighoff/SGPT-125M-weightedmean-msmarco-specb-bitfit",
    "mine/normalized-before-dense",
]


@pytest.mark.parametrize("name", SAVED_AGAIN)
def test_a_model_saved_by_todays_sentence_transformers_embeds_as_there(
    folder: Folder, tmp_path: Path, name: str
) -> None:
    SentenceTransformer(str(folder(name, LAYOUTS[name])), device="cpu").save(str(tmp_path / "again"))
    encoder = load_encoder(config(tmp_path / "again"), CPU)
    for kind in KINDS:
        assert_equal(embeddings(encoder, kind), theirs(tmp_path / "again", encoder.forms[kind].prefix))


def test_an_export_states_the_base_of_rotary_positions_for_versions_4_and_5_of_transformers(
    folder: Folder, tmp_path: Path
) -> None:
    path = folder("Qwen/Qwen3-0.6B-Base", LAYOUTS["Qwen/Qwen3-0.6B-Base"])
    scaled = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 16_384, "rope_theta": 1e6}
    for number, rotary in enumerate(({"rope_type": "default", "rope_theta": 1e6}, scaled)):
        shutil.copytree(path, tmp_path / f"model{number}")
        update(tmp_path / f"model{number}" / "config.json", {"rope_parameters": rotary})
        encoder = load_encoder(config(tmp_path / f"model{number}"), CPU)
        export(encoder, tmp_path / f"exported{number}", "")
        written = json.loads((tmp_path / f"exported{number}" / "config.json").read_text("utf-8"))
        assert written["rope_theta"] == 1e6
        assert written.get("rope_scaling") == (None if number == 0 else written["rope_parameters"])
        assert_equal(
            embeddings(load_encoder(config(tmp_path / f"exported{number}"), CPU), "query"), embeddings(encoder, "query")
        )


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("jhu-clsp/mmBERT-base", ("global_rope_theta", "local_rope_theta")),
        ("google/embeddinggemma-300m", ("rope_theta", "rope_local_base_freq")),
    ],
)
def test_an_export_states_the_base_of_each_kind_of_layer_for_versions_4_and_5_of_transformers(
    folder: Folder, tmp_path: Path, name: str, keys: tuple[str, str]
) -> None:
    bases = {"full_attention": 320_000.0, "sliding_attention": 160_000.0}  # no type's own
    rotary = {layers: {"rope_type": "default", "rope_theta": base} for layers, base in bases.items()}
    shutil.copytree(folder(name, LAYOUTS[name]), tmp_path / "model")
    update(tmp_path / "model" / "config.json", {"rope_parameters": rotary})
    encoder = load_encoder(config(tmp_path / "model"), CPU)
    export(encoder, tmp_path / "exported", "")
    written = json.loads((tmp_path / "exported" / "config.json").read_text("utf-8"))
    assert {key: written[key] for key in (*keys, "rope_parameters")} == {
        **dict(zip(keys, bases.values(), strict=True)),
        "rope_parameters": rotary,
    }
    again = load_encoder(config(tmp_path / "exported"), CPU)
    assert again.transformer.config.rope_parameters == rotary
    assert_equal(embeddings(again, "query"), embeddings(encoder, "query"))


@pytest.mark.parametrize("name", ["Qwen/Qwen3-Embedding-0.6B", "google/embeddinggemma-300m"])
def test_no_keys_and_values_are_kept_for_the_generation_of_text(folder: Folder, name: str) -> None:
    encoder = load_encoder(config(folder(name, LAYOUTS[name])), CPU)
    assert encoder.transformer(torch.ones((1, 3), dtype=torch.long)).past_key_values is None


@pytest.mark.parametrize("name", REFUSED)
def test_a_model_that_would_be_wrong_is_refused_in_one_sentence(folder: Folder, name: str) -> None:
    layout, sentence = REFUSED[name]
    path = folder(name, layout)
    for use in (check_backbone, lambda settings: load_encoder(settings, CPU)):
        with pytest.raises(BackboneError, match=sentence) as refusal:
            use(config(path))
        assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_check_before_a_study_accepts_every_model_that_loads(folder: Folder, name: str) -> None:
    settings = config(folder(name, LAYOUTS[name]))
    assert check_backbone(settings) == resolve(settings)


DOCUMENT = (Path(__file__).resolve().parents[3] / "docs" / "backbones.md").read_text("utf-8")


@pytest.mark.parametrize("name", [name for name in LAYOUTS if not name.startswith("mine/")])
def test_the_documentation_says_what_the_study_does_with_a_model(folder: Folder, name: str) -> None:
    unlimited = {"max_query_tokens": 10**9, "max_passage_tokens": 10**9}
    shown = resolve(config(folder(name, LAYOUTS[name]), **unlimited)).describe()
    most = "none" if shown["max_passage_tokens"] == 10**9 else f"{shown['max_passage_tokens']:,}"
    prompts = " · ".join(_documented(shown[key]) for key in ("query_prefix", "passage_prefix"))
    assert f"| {name} | {shown['pooling']} | {prompts} | {most} |" in DOCUMENT


def _documented(prompt: str) -> str:
    instruction = INSTRUCTION.partition("\n")[0]
    shown = f"`{prompt.removeprefix(instruction)!r}`" if prompt else "none"
    return (f"*I* + {shown}" if prompt.startswith(instruction) else shown).replace("|", r"\|")


@pytest.mark.parametrize("name", [name for name in REFUSED if not name.startswith("mine/")])
def test_the_documentation_says_that_a_model_is_refused(name: str) -> None:
    assert name.removesuffix(" as pickle") in DOCUMENT.partition("## Models that are refused")[2]
