"""Search sentences of three languages by content rather than by language, with a model that `study.export` has written.

    python -m study.export STUDY --language-means --output FOLDER
    pip install sentence-transformers && python examples/search_centred.py FOLDER

A multilingual encoder tends to rank passages in the language of the question first. Subtracting from each passage the
mean embedding of its language removes most of that and trains nothing. Only passages change, so the language of a
question need not be known.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from sentence_transformers import SentenceTransformer

SENTENCES = [
    ("th", "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย"),
    ("zh", "曼谷是泰国的首都。"),
    ("ar", "بانكوك هي عاصمة تايلاند."),
    ("th", "โตเกียวเป็นเมืองหลวงของประเทศญี่ปุ่น"),
    ("zh", "东京是日本的首都。"),
    ("ar", "طوكيو هي عاصمة اليابان."),
]
QUESTIONS = ["ما هي عاصمة اليابان؟", "泰国的首都是哪里？", "เมืองหลวงของไทยคือเมืองใด"]


def main() -> None:
    """Print the languages of the ranked sentences for every question, as they are and centred."""
    model = SentenceTransformer(sys.argv[1])
    means = load_file(Path(sys.argv[1], "language_means.safetensors"))
    if missing := {language for language, _ in SENTENCES} - means.keys():
        known = ", ".join(sorted(means.keys() - {"all"}))
        sys.exit(
            f"error: {sys.argv[1]} has means of {known}, and none of {', '.join(sorted(missing))}: export a study that "
            "trains on these languages too, or write SENTENCES of this example in others"
        )
    passages = torch.from_numpy(model.encode_document([sentence for _, sentence in SENTENCES]))
    shift = torch.stack([means[language] - means["all"] for language, _ in SENTENCES])
    centred = torch.nn.functional.normalize(passages - shift, dim=-1)
    for question, query in zip(QUESTIONS, torch.from_numpy(model.encode_query(QUESTIONS)), strict=True):
        print(question)
        for name, index in (("as they are", passages), ("centred", centred)):
            print(f"  {name}:", *(SENTENCES[place][0] for place in (index @ query).argsort(descending=True).tolist()))


if __name__ == "__main__":
    main()
