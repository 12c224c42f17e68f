"""The start of `study.evaluate`: an evaluation of six texts, against loading the model with sentence-transformers.

Ours also checks the backbone and writes the tables; theirs embeds one text.

python -m bench.start --checkpoint DIR
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.evaluation import process
from bench.row import Options, Row, finish, in_turn, options, ratio

THEIRS = "import sys; from sentence_transformers import SentenceTransformer as S; S(sys.argv[1]).encode(['a'])"
FILES = {
    "th/corpus.jsonl": '{"_id": "p1", "text": "เมืองหลวงของประเทศไทย"}\n{"_id": "p2", "text": "แม่น้ำเจ้าพระยา"}\n',
    "th/queries.jsonl": '{"_id": "q1", "text": "เมืองหลวงของไทยคือเมืองใด"}\n',
    "zh/corpus.jsonl": '{"_id": "p3", "text": "泰国的首都"}\n{"_id": "p4", "text": "湄南河"}\n',
    "zh/queries.jsonl": '{"_id": "q1", "text": "泰国的首都是哪里？"}\n',
    "qrels.tsv": "query-id\tcorpus-id\tscore\nq1\tp1\t1\nq1\tp3\t1\n",
}


def measure(chosen: Options) -> Row:
    """Run both processes from their start to their end."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in FILES.items():
            file = Path(folder, name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(text, "utf-8")
        ours = ["-m", "study.evaluate", chosen.checkpoint, "--benchmarks", "local", "--data", folder]
        took, peers = in_turn(
            lambda: process(ours, chosen.threads),
            lambda: process(["-c", THEIRS, chosen.checkpoint], chosen.threads),
            chosen.repetitions,
        )
    return Row(
        "start of study.evaluate: six texts, whole process",
        "SentenceTransformer loaded, one text",
        "s",
        more_is_better=False,
        goal=0.5,
        ours=[seconds.wall for seconds in took],
        theirs=[seconds.wall for seconds in peers],
        cpu_advantage=ratio([seconds.cpu for seconds in peers], [seconds.cpu for seconds in took]),
    )


if __name__ == "__main__":
    chosen = options()
    finish([measure(chosen)], chosen)
