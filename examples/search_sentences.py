"""Search six sentences in three languages with a model that `python -m study.export` has written.

    pip install sentence-transformers && python examples/search_sentences.py FOLDER

Nothing of this project is needed: the folder brings pooling and prefixes. A question finds answers in any language.
"""

from __future__ import annotations

import sys

from sentence_transformers import SentenceTransformer

SENTENCES = [
    "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย",
    "แม่น้ำไนล์เป็นแม่น้ำที่ยาวที่สุดในแอฟริกา",
    "东京是日本的首都。",
    "月球围绕地球运转。",
    "القاهرة هي عاصمة مصر.",
    "يدور القمر حول الأرض.",
]
QUESTIONS = ["ما هي عاصمة اليابان؟", "泰国的首都是哪里？", "ดวงจันทร์โคจรรอบอะไร"]


def main() -> None:
    """Print every question with its three best sentences and their cosines."""
    model = SentenceTransformer(sys.argv[1])
    passages = model.encode_document(SENTENCES)
    for question, scores in zip(QUESTIONS, model.similarity(model.encode_query(QUESTIONS), passages), strict=True):
        print(question)
        for place in scores.argsort(descending=True)[:3].tolist():
            print(f"  {scores[place]:.3f}  {SENTENCES[place]}")


if __name__ == "__main__":
    main()
