"""Your own benchmark, in one file: which sentence names a country's capital? Arabic, Thai and Chinese.

Copy it to `tasks/benchmarks/capitals.py`; its name is then `capitals`, here and in every search space:

    cp examples/capitals.py tasks/benchmarks/ && python -m study.evaluate MODEL --benchmarks capitals

A real benchmark states the source of its data, the licence and the citation here, and shows one row.
"""

from __future__ import annotations

from tasks.schema import Benchmark, Passage, Pool, Query, Setting, Texts

COUNTRIES = {
    "th": {"TH": ("ไทย", "กรุงเทพมหานคร"), "CN": ("จีน", "ปักกิ่ง"), "EG": ("อียิปต์", "ไคโร"), "JP": ("ญี่ปุ่น", "โตเกียว")},
    "zh": {"TH": ("泰国", "曼谷"), "CN": ("中国", "北京"), "EG": ("埃及", "开罗"), "JP": ("日本", "东京")},
    "ar": {"TH": ("تايلاند", "بانكوك"), "CN": ("الصين", "بكين"), "EG": ("مصر", "القاهرة"), "JP": ("اليابان", "طوكيو")},
}
QUESTION = {"th": "เมืองหลวงของ{}คือเมืองใด", "zh": "{}的首都是哪里？", "ar": "ما هي عاصمة {}؟"}
SENTENCE = {"th": "{1}เป็นเมืองหลวงของ{0}", "zh": "{1}是{0}的首都。", "ar": "{1} هي عاصمة {0}."}


def load(*, languages: tuple[str, ...] = ("ar", "th", "zh")) -> Benchmark:
    """Return the benchmark.

    Args:
        languages: of queries and passages; an option of `load` is an option in YAML and on the command line.
    """
    return Benchmark(
        name="capitals",
        revision="1",
        queries={
            language: Texts.of(Query(code, QUESTION[language].format(name)) for code, (name, _) in countries.items())
            for language, countries in COUNTRIES.items()
            if language in languages
        },
        pools=[
            Pool(
                language,
                language,
                Texts.of(
                    Passage(f"{language}-{code}", SENTENCE[language].format(*names))
                    for code, names in countries.items()
                ),
            )
            for language, countries in COUNTRIES.items()
            if language in languages
        ],
        qrels={code: {f"{language}-{code}": 1 for language in languages} for code in COUNTRIES["th"]},
        settings=tuple(Setting),
    )
