"""A ``.keras`` file is a zip archive; Keras writes the time of day and numbers that count up into it.

The same model gives the same bytes here: entries carry no date, and operations and objects that several layers share
are numbered from 0 in every model.
"""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

_EPOCH = (1980, 1, 1, 0, 0, 0)
_DATE = "1980-01-01@00:00:00"


def settle(path: Path, names: set[str]) -> None:
    """Rewrite the archive at `path` without what differs between two runs.

    Args:
        path: A file that ``model.save`` has written.
        names: The names of layers that were given; others are Keras's own and are numbered anew.
    """
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: archive.read(info) for info in archive.infolist()}
    metadata = json.loads(entries["metadata.json"]) | {"date_saved": _DATE}
    entries["metadata.json"] = json.dumps(metadata).encode()
    config = json.loads(entries["config.json"])
    config = _shared(_renamed(config, _numbered(config, names)), {})
    entries["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)


def _numbered(config: Any, names: set[str]) -> dict[str, str]:
    """New names of what Keras has named itself, in the order of the model."""
    renamed: dict[str, str] = {}
    taken = set(names)
    for layer in config["config"]["layers"]:
        old = layer["name"]
        if old in names:
            continue
        base, count = re.sub(r"_\d+$", "", old), 0
        while (new := f"{base}_{count}") in taken:
            count += 1
        taken.add(new)
        renamed[old] = new
    return renamed


def _renamed(item: Any, names: dict[str, str]) -> Any:
    if isinstance(item, dict):
        return {key: _renamed(value, names) for key, value in item.items()}
    if isinstance(item, list):
        return [_renamed(value, names) for value in item]
    return names.get(item, item) if isinstance(item, str) else item


def _shared(item: Any, numbers: dict[int, int]) -> Any:
    """With numbers in the order of the model for the addresses in memory that Keras writes."""
    if isinstance(item, list):
        return [_shared(value, numbers) for value in item]
    if not isinstance(item, dict):
        return item
    return {
        key: numbers.setdefault(value, len(numbers)) if key == "shared_object_id" else _shared(value, numbers)
        for key, value in item.items()
    }
