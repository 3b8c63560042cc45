"""How much memory there is: what the system can give, and what the limits of the process leave of it.

They are those of its control groups, and that of its address space (``ulimit -v``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

_UNKNOWN = 2**32
"""What is taken to be available where the system does not tell."""

_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")


def available(root: Path = Path("/")) -> int:
    """Bytes that can be had.

    Args:
        root: Where the system's figures are found, under ``proc`` and ``sys``.
    """
    free = _figures(root / "proc" / "meminfo").get("MemAvailable:")
    return max(min([_UNKNOWN if free is None else free * 1024, *_left_by_groups(root), *_left_of_addresses(root)]), 0)


def _left_of_addresses(root: Path) -> Iterator[int]:
    """What the process may still map; nothing if there is no limit."""
    limits, own = root / "proc" / "self" / "limits", _figures(root / "proc" / "self" / "status")
    for line in limits.read_text().splitlines() if limits.exists() else []:
        words = line.removeprefix("Max address space").split()
        if line.startswith("Max address space") and words[0] != "unlimited":
            yield int(words[0]) - own.get("VmSize:", 0) * 1024


def _left_by_groups(root: Path) -> Iterator[int]:
    groups = root / "proc" / "self" / "cgroup"
    for line in groups.read_text().splitlines() if groups.exists() else []:
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = root / "sys" / "fs" / "cgroup" / ("memory" if controllers else "")
        here = top / path.lstrip("/")
        for folder in (here, *here.parents):
            if folder.is_relative_to(top):
                yield from _left(folder, _VERSION_1 if controllers else _VERSION_2)


def _left(folder: Path, names: tuple[str, str, str]) -> Iterator[int]:
    """The limit of a group less what is used and cannot be given back; nothing if it has no limit."""
    limit, used = folder / names[0], folder / names[1]
    if limit.exists() and used.exists() and limit.read_text().strip() != "max":
        returnable = _figures(folder / "memory.stat").get(names[2], 0)
        yield int(limit.read_text()) - int(used.read_text()) + returnable


def _figures(path: Path) -> dict[str, int]:
    """The first two words of every line that has a figure."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) > 1 and words[1].isdecimal()}
