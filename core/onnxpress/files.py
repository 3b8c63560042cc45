"""Writing files so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from onnxpress.errors import OnnxpressError


@contextlib.contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """Yield an empty folder on the file system of `folder`; `publish` moves files out of it, the rest is deleted.

    Its name tells the process, so that `remove_staged` finds it should the process die.

    Raises:
        OnnxpressError: `folder` cannot be created or written, or the disk is full.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".onnxpress-{os.getpid()}-", dir=folder))
    except OSError as error:
        raise OnnxpressError(f"cannot write in {folder}: {error.strerror or error}") from error
    try:
        yield temporary
    except OSError as error:
        why = error.strerror or f"{error}; the disk may be full"  # numpy reports a short write without an errno
        raise OnnxpressError(f"cannot write in {folder}: {why}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_place(path: Path) -> None:
    """Make sure that `path` can be written, before what is to be written is made; nothing is left there.

    Raises:
        OnnxpressError: As `staging`.
    """
    folder = path.absolute().parent
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    with staging(folder):
        pass
    with contextlib.suppress(OSError):  # another process has put something there meanwhile
        for parent in missing:
            parent.rmdir()


def remove_staged(folders: Iterable[Path], process: int) -> None:
    """Delete what a process that is dead had staged in `folders`."""
    for folder in folders:
        for staged in folder.glob(f".onnxpress-{process}-*"):
            shutil.rmtree(staged, ignore_errors=True)


def publish(staged: Path, destination: Path) -> None:
    """Move a staged file or folder to its place in one rename, replacing what is there.

    A folder makes way only for a folder: it is moved into the staging folder, and deleted with it.

    Raises:
        IsADirectoryError: A file would take the place of a folder.
        NotADirectoryError: A folder would take the place of a file.
    """
    if staged.is_dir() and destination.is_file():
        raise NotADirectoryError(errno.ENOTDIR, f"{destination.name!r} is a file; name a folder")
    if not destination.is_dir() or destination.is_symlink():
        staged.replace(destination)
        return
    if not staged.is_dir():
        raise IsADirectoryError(errno.EISDIR, f"{destination.name!r} is a folder; name a file in it")
    replaced = staged.with_name(f".replaced-{staged.name}")
    destination.replace(replaced)
    try:
        staged.replace(destination)
    except OSError:
        replaced.replace(destination)
        raise


def publish_all(staged: Iterable[Path], folder: Path) -> None:
    """Move staged files to `folder`: all of them, or none, should one not go.

    Raises:
        IsADirectoryError: A file would take the place of a folder.
    """
    kept: dict[Path, Path | None] = {}
    try:
        for file in staged:
            destination = folder / file.name
            kept[destination] = _keep(destination, file.with_name(f".replaced-{file.name}"))
            publish(file, destination)
    except BaseException:
        for destination, old in kept.items():
            if old is not None:
                old.replace(destination)
            elif destination.is_file():
                destination.unlink()
        raise


def _keep(path: Path, copy: Path) -> Path | None:
    """`copy`, now a second name of the file at `path`, or its only one where files have one name; None without file."""
    if not path.is_file():
        return None
    try:
        copy.hardlink_to(path)
    except OSError:
        path.replace(copy)
    return copy


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write a file or folder to; on success it takes the place of `path`.

    Raises:
        OnnxpressError: The place cannot be written, or the disk is full.
    """
    path = path.resolve() if path.name in ("", "..") else path.absolute()  # a name, even of . and ..
    with staging(path.parent) as folder:
        temporary = folder / path.name
        yield temporary
        publish(temporary, path)


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
