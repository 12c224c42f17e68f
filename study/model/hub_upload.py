"""Upload an exported model to the Hugging Face hub with `huggingface_hub`, which reads HF_TOKEN or `hf auth login`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

import httpx2
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HfHubHTTPError, HFValidationError
from huggingface_hub.utils import disable_progress_bars

from tasks.errors import UserError

_OF_THE_HUB = {".gitattributes"}
"""Files that the hub itself puts into a new repository."""


class UploadError(UserError):
    """A model that cannot be uploaded, in one sentence that says what to do."""


def create_repository(name: str) -> None:
    """Create a private model repository, or check that an existing one is private and empty.

    Args:
        name: `owner/name`.

    Raises:
        UploadError: the hub cannot be reached, the token may not write there, or the repository is public or has files.
    """
    if name.count("/") != 1:
        raise UploadError(f"--push {name} is refused: write owner/name")
    with _explained(name):
        api = HfApi()
        api.create_repo(name, private=True, exist_ok=True)
        private = api.model_info(name).private
        files = set(api.list_repo_files(name)) - _OF_THE_HUB
    if not private:
        raise UploadError(
            f"--push {name}: the repository exists and is public: make it private, or choose another name"
        )
    if files:
        raise UploadError(f"--push {name}: the repository has files already ({min(files)}): choose another name")


def upload(folder: Path, name: str) -> str:
    """Upload all files of a folder to a model repository; return the address of the model at the new commit.

    Raises:
        UploadError: the upload failed; the folder is still there.
    """
    disable_progress_bars()
    with _explained(name):
        commit = HfApi().upload_folder(repo_id=name, folder_path=folder, commit_message="Upload the exported model")
    return f"{constants.ENDPOINT}/{name}/tree/{commit.oid}"


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except HFValidationError:
        raise UploadError(f"--push {name} is refused: write owner/name") from None
    except ValueError as error:  # of the model card, which the hub is asked about first
        raise UploadError(
            f"--push {name}: {' '.join(str(error).split())}: correct README.md in the exported folder, and upload it "
            f"with `hf upload {name} FOLDER`"
        ) from error
    except HfHubHTTPError as error:
        answer = f"{error.response.status_code} {error.response.reason_phrase}"
        forbidden = error.response.status_code in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}
        advice = "set HF_TOKEN to a token that may write there" if forbidden else "try again later"
        raise UploadError(f"--push {name}: {constants.ENDPOINT} answers {answer}: {advice}") from error
    except (OSError, httpx2.HTTPError) as error:
        reason = str(error).partition("\n")[0]
        raise UploadError(f"--push {name}: {constants.ENDPOINT} cannot be reached ({reason})") from error
