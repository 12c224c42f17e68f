"""Training with gradient caching: pairs a second against CachedMultipleNegativesRankingLoss, batch 64, mini-batch 32.

python -m bench.gradient_caching --checkpoint DIR --data DIR
"""

from __future__ import annotations

from bench.row import finish, options
from bench.training import measure

if __name__ == "__main__":
    chosen = options()
    finish(
        (measure(chosen, precision, batch_size=64, caching=True) for precision in chosen.precisions),
        chosen,
    )
