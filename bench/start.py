"""The start of `study.evaluate`: an evaluation of few texts, against loading the model with sentence-transformers.

Ours also checks the backbone, evaluates a few hundred short texts and writes the tables; theirs embeds one text.

python -m bench.start --checkpoint DIR
"""

from __future__ import annotations

from bench.evaluation import process
from bench.row import Options, Row, finish, in_turn, options, ratio

THEIRS = "import sys; from sentence_transformers import SentenceTransformer as S; S(sys.argv[1]).encode(['a'])"


def measure(chosen: Options) -> Row:
    """Run both processes from their start to their end."""
    few = ["--benchmarks", "factbook", "--option", "languages=th,zh", "--option", "split=dev"]
    took, peers = in_turn(
        lambda: process(["-m", "study.evaluate", chosen.checkpoint, *few], chosen.threads),
        lambda: process(["-c", THEIRS, chosen.checkpoint], chosen.threads),
        chosen.repetitions,
    )
    return Row(
        "start of study.evaluate: few texts, whole process",
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
