"""Data files inside installed packages, found by their metadata: nothing of the package is imported."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


def files_of(package: str, pattern: str) -> list[Path]:
    """The installed files of `package` whose name matches the glob `pattern`, sorted by name.

    Raises:
        SystemExit: The package is not installed or has no such file; the message says how to get it.
    """
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        raise SystemExit(f"{package} is not installed; pip install -e .[bench]") from None
    found = sorted(Path(str(file.locate())) for file in files if Path(file.name).match(pattern))
    if not found:
        raise SystemExit(f"{package} {distribution(package).version} has no file {pattern}")
    return found


def file_of(package: str, pattern: str) -> Path:
    """The first of `files_of`."""
    return files_of(package, pattern)[0]
