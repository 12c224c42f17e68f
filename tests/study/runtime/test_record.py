"""What stopped a study: its storage, or something else."""

from __future__ import annotations

from study.runtime.record import storage_failure


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def test_the_storage_error_behind_another_error_is_found() -> None:
    full = OSError(28, "No space left on device")
    assert storage_failure(raised(RuntimeError("the trial failed"), raised(ValueError("no file"), full))) == str(full)
    assert storage_failure(raised(RuntimeError("the trial failed"), ValueError("no file"))) is None


def test_errors_that_cause_each_other_are_looked_through_once() -> None:
    """As Ray's do when its dashboard cannot start."""
    error, other = RuntimeError("the dashboard did not start"), ValueError("it has no files")
    error.__cause__, other.__cause__ = other, error
    assert storage_failure(error) is None
    alone = RuntimeError("it is its own cause")
    alone.__cause__ = alone
    assert storage_failure(alone) is None
