"""Published weight files: in torch's cache, or fetched into it whole and undamaged."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch

from vidstyle.errors import WeightsNotFoundError


def cached_file(url: str) -> tuple[Path, str]:
    """Where torch.hub keeps a published weight file, and how its hexadecimal SHA-256 begins.

    Args:
        url: ends in ``NAME-0123abcd.pth``, the naming torch.hub checks hashes by.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    return path, path.stem.rsplit("-", 1)[-1]


def is_intact(path: Path, digest: str) -> bool:
    """Whether the file is there and its hexadecimal SHA-256 begins with ``digest``."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(digest)


def download_checked(url: str, path: Path, digest: str, *, otherwise: str = "name a local file") -> None:
    """Download a file whole and undamaged, or not at all.

    Args:
        url: where it is.
        path: where it goes; the folder is made.
        digest: how its hexadecimal SHA-256 begins.
        otherwise: what a user can do without it, for the message.

    Raises:
        WeightsNotFoundError: the download failed or its checksum is wrong; nothing is left behind.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), hash_prefix=digest, progress=False)
    except (OSError, RuntimeError) as error:  # URLError is an OSError; a wrong checksum is a RuntimeError
        raise WeightsNotFoundError(
            f"The weights could not be downloaded from {url} ({error}); try again later or {otherwise}."
        ) from error
