"""Export a study's best model as a sentence-transformers folder: `python -m study.export STUDY`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pyarrow import fs
from rich.text import Text

from study import cli
from study.analysis.formats import some_of
from study.analysis.groups import Group, groups_of, ranked
from study.analysis.study import Study, read_study
from study.config import TrialConfig, backbone_folder
from study.corpora import training_corpora
from study.model import hub_upload
from study.pages.model_card import model_card
from study.results import files, layout
from study.results.layout import StudyError
from study.results.trial_result import TrialResult
from tasks.errors import UserError


def main(
    study: Annotated[str, typer.Argument(help=cli.STUDY_HELP)],
    trial: Annotated[int | None, typer.Option(help="A trial's number; the best by the objective unless given.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="A folder that does not exist; <study>-<trial> here unless given.")
    ] = None,
    language_means: Annotated[
        bool,
        typer.Option(help="Write the mean passage embedding of each training language too, to rank without language."),
    ] = False,
    push: Annotated[
        str | None, typer.Option(help="owner/name: also upload the folder to a new, private repository of the hub.")
    ] = None,
) -> None:
    """Export a trial's best checkpoint as a sentence-transformers folder with a model card."""
    console = cli.console()
    with cli.refusals():
        source = read_study(cli.study_folder(study))
        result = _chosen(source, trial)
        if language_means and not result.config.steps:
            raise UserError(
                f"--language-means: trial {result.number} was not trained and has no training languages whose means "
                "could be written: leave the option out, or name a trained trial with --trial"
            )
        folder = cli.output_folder(output or f"{source.name}-{result.number:04d}", "--output")
        if folder.exists():
            raise UserError(f"{folder} exists: choose another --output, or remove it")
        if language_means:
            _check_corpora(result)
        if push:
            hub_upload.create_repository(push)
        _export(source, result, folder, language_means=language_means)
        address = hub_upload.upload(folder, push) if push else None
    what = "" if result.training.best_step else ", a model as it is, without training,"
    groups = groups_of(source.results)
    own = next(group for group in groups if group.holds(result.number))
    if len(own.results) > 1:
        what += f", one of the {len(own.results)} seeds of its setting,"
    text = (
        f"trial {result.number}{what} is in {folder}; load it with SentenceTransformer('{folder}') of the package "
        "sentence-transformers"
    )
    console.print(Text(text), soft_wrap=True)
    if equal := [] if trial is not None else _equal(groups, own, source.objective.metric):
        note = (
            f"note: trials {some_of(equal)} have exactly the same {source.objective.metric}; the setting tried first "
            "was taken, and --trial takes another"
        )
        console.print(Text(note), soft_wrap=True)
    if address:
        console.print(Text(f"uploaded: {address}"), soft_wrap=True)


def _equal(groups: Sequence[Group], own: Group, metric: str) -> list[str]:
    """Return the trials of other settings whose mean of a metric over seeds is that of the group `own`."""
    equal = [group for group in groups if group is not own and group.mean(metric) == own.mean(metric)]
    return [str(number) for group in equal for number in group.numbers]


def _chosen(study: Study, number: int | None) -> TrialResult:
    if number is None:
        best = ranked(study.results, study.objective, study.seeds)
        if not best:
            raise StudyError(
                f"no trial of {study.folder} has the objective {study.objective.metric}: name one with --trial"
            )
        return best[0]
    results = {result.number: result for result in study.results}
    if number not in results:
        known = ", ".join(map(str, results))
        raise StudyError(f"trial {number} of {study.folder} has no result: trials with one are {known}")
    return results[number]


def _export(study: Study, result: TrialResult, folder: Path, *, language_means: bool) -> None:
    import torch  # takes seconds, so only after the input is checked

    from study.model.backbone import load_encoder
    from study.model.pooling_and_prompts import content_of
    from study.model.sentence_transformers_folder import export
    from study.retrieval.measurement import export_means
    from study.training import checkpoint

    config = _pinned(result)
    if result.backbone.content and (now := content_of(config)) != result.backbone.content:
        raise StudyError(
            f"backbone {config.backbone} is not what trial {result.number} started from (content "
            f"{result.backbone.content[:12]}, now {str(now)[:12]}): put its files back, and export again"
        )
    encoder = load_encoder(config, torch.device("cpu"))
    best_step = result.training.best_step
    if best_step:
        with tempfile.TemporaryDirectory() as scratch:
            trial = layout.trial_folder(study.folder, result.number)
            newest = (layout.checkpoints(trial, best_step) or [layout.checkpoint_name(trial, best_step)])[0]
            try:
                _fetch(files.join(trial, newest), (checkpoint.WEIGHTS, layout.PROGRESS), Path(scratch))
                checkpoint.restore_weights(Path(scratch), encoder)
            except (OSError, checkpoint.CheckpointError) as error:
                raise StudyError(f"trial {result.number}: {error}; choose another with --trial") from error
    means = export_means(encoder, result.config) if language_means else None
    export(encoder, folder, model_card(result, folder.name, language_means=language_means), means)


def _check_corpora(result: TrialResult) -> None:
    """Check that the means would be those of the rows that the trial was trained on."""
    now = [(corpus.name, corpus.revision, len(corpus)) for corpus in training_corpora(result.config)]
    if result.corpora and now != [(corpus.name, corpus.revision, corpus.rows) for corpus in result.corpora]:
        raise StudyError(
            f"--language-means: the corpora are not those that trial {result.number} was trained on: put their files "
            "back, or leave the option out"
        )


def _pinned(result: TrialResult) -> TrialConfig:
    """Return the trial's configuration with the commit of its backbone that was used, if that is a model of the hub."""
    backbone, commit = result.config.backbone, result.backbone.revision
    if commit is None or backbone_folder(backbone):
        return result.config
    return result.config.model_copy(update={"backbone": f"{backbone.partition('@')[0]}@{commit}"})


def _fetch(source: str, names: tuple[str, ...], folder: Path) -> None:
    """Copy files of a study, which may be on shared storage, into a local folder."""
    filesystem, inner = fs.FileSystem.from_uri(source)
    for name in names:
        fs.copy_files(f"{inner}/{name}", str(folder / name), filesystem, fs.LocalFileSystem())


if __name__ == "__main__":
    cli.program(main)()
