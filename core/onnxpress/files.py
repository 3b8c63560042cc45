"""Writing files so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from onnxpress.errors import OnnxpressError


@contextlib.contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Yield an empty folder on the file system of `folder`; `publish` moves files out of it, the rest is deleted.

    Raises:
        OnnxpressError: `folder` cannot be created or written, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".onnxpress-", dir=folder))
    except OSError as error:
        raise OnnxpressError(f"cannot write in {folder}: {error.strerror or error}") from error
    try:
        yield temporary
    except OSError as error:
        raise OnnxpressError(f"cannot write in {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def publish(staged: Path, destination: Path) -> None:
    """Move a staged file or folder to its place in one rename, replacing what is there.

    A folder that exists already is first moved into the staging folder, so that it is deleted with it.
    """
    if destination.is_dir() and not destination.is_symlink():
        destination.replace(staged.with_name(f".replaced-{staged.name}"))
    staged.replace(destination)


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write a file or folder to; on success it takes the place of `path`.

    Raises:
        OnnxpressError: The place cannot be written, or the disk is full.
    """
    with staging(path.absolute().parent) as folder:
        temporary = folder / path.name
        yield temporary
        publish(temporary, path)
