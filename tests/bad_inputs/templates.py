"""Sound inputs that are copied and then damaged: a backbone's folder, and a study with a checkpoint and its record."""

from __future__ import annotations

from pathlib import Path

import torch

from study.analysis.study import read_study
from study.config import TrialConfig
from study.model import builtin
from study.model.backbone import load_encoder
from study.results.trial_result import TrainingProgress
from study.training import checkpoint
from study.training.schedules import Temperature
from study.training.step import make_optimizer
from tests.bad_inputs.case import Templates
from tests.bad_inputs.studies import CHECKPOINT
from tests.study.live_study import record
from tests.study.synthetic_study import SPACE, write_study

BACKBONE = "builtin/xlmr-tiny"


def templates(folder: Path) -> Templates:
    """Write the study into a folder; the backbone is a built-in one, in the cache."""
    study = Path(write_study(folder / "study", questions=20, alphas=(0.5, 0), seeds=2, backbones=(BACKBONE,)))
    record(str(study), read_study(str(study))).set_user_attr("search_space", SPACE)
    config = TrialConfig(backbone=BACKBONE)
    encoder = load_encoder(config, torch.device("cpu"))
    (study / CHECKPOINT).mkdir()
    optimizer = make_optimizer(encoder, Temperature(config, encoder.device), config)
    checkpoint.save(study / CHECKPOINT, encoder, optimizer, TrainingProgress(step=400))
    return Templates(builtin.folder(BACKBONE), study)
