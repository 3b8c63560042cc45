"""Exported programs in ``.pt2`` files, read without a pickle.

`torch.export.save` writes a zip archive: the graph as JSON, weights and constants as raw bytes with a JSON index each,
and the example inputs as a pickle, which `torch.export.load` unpickles whatever is in it.  So PyTorch gets another
archive, copied entry by entry: the index files, the raw bytes that they name, the graph once `inert_programs` has been
through it, and nothing in place of the example inputs.  Weights that are pickled (tensor subclasses, files of PyTorch
before 2.9) are refused.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from onnxpress.errors import InvalidModel, OnnxpressError, UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.pytorch.inert_programs import inert
from onnxpress_frontends.torch_import import import_torch, quiet

if TYPE_CHECKING:
    import torch

_GRAPH = "models/model.json"
_EXAMPLES = "data/sample_inputs/model.pt"
_PLAIN = ("archive_format", "archive_version", "byteorder", ".data/version")
_INDEXES = {
    "data/weights/model_weights_config.json": re.compile(r"weight_\d+"),
    "data/constants/model_constants_config.json": re.compile(r"tensor_\d+"),
}
"""Each index, and the names of the raw bytes beside it."""

_EXPORT = "torch.export.save(torch.export.export(module.eval(), (image,)), 'model.pt2')"


def open_program(path: Path) -> torch.export.ExportedProgram:
    """Read the exported program in `path`.

    Raises:
        MissingDependency: PyTorch is not installed.
        InvalidModel: The file is missing, truncated or corrupt.
        UnsupportedModel: It is no exported program, or holds pickles in place of weights, or code.
    """
    if not path.is_file():
        raise InvalidModel(f"{path} does not exist, or is a folder; give a .pt2 file")
    if path.suffix.lower() != ".pt2":
        raise UnsupportedModel(_what_else(path))
    load = import_torch().export.load
    try:
        with zipfile.ZipFile(path) as archive, tempfile.TemporaryFile() as copy:
            _copy(archive, copy, path)
            copy.seek(0)
            with quiet():
                program: torch.export.ExportedProgram = load(copy)
                return program
    except OnnxpressError:
        raise
    except zipfile.BadZipFile as error:
        raise InvalidModel(f"{path} is not an archive of torch.export.save, or is truncated or corrupt") from error
    except Exception as error:  # PyTorch's deserialiser raises whatever a corrupt field provokes
        raise InvalidModel(f"{path} cannot be read; torch.export says: {first_line(error)}") from error


def _what_else(path: Path) -> str:
    """What a file that is no exported program is, and what to do about it."""
    names = zipfile.ZipFile(path).namelist() if zipfile.is_zipfile(path) else []
    if any("/code/" in name for name in names):
        return f"{path} is TorchScript, which torch.export does not take; in Python, {_EXPORT} with the nn.Module"
    return (
        f"{path} is a pickle, which runs code when it is read; load it in Python if you trust it, "
        f"then {_EXPORT}, and convert that"
    )


def _copy(archive: zipfile.ZipFile, copy: IO[bytes], path: Path) -> None:
    """Write what is needed of `archive`, and harmless, to `copy`."""
    root = archive.namelist()[0].partition("/")[0] if archive.namelist() else ""
    entries = {name.removeprefix(f"{root}/"): name for name in archive.namelist()}
    if len(entries) != len(archive.infolist()):
        raise InvalidModel(f"{path} has two entries of one name")
    _check_kind(entries, path)
    with zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as written:
        for name in _PLAIN:
            if name in entries:
                written.writestr(f"model/{name}", archive.read(entries[name]))
        graph = inert(_json(archive, entries[_GRAPH], path), str(path))
        written.writestr(f"model/{_GRAPH}", json.dumps(graph))
        written.writestr(f"model/{_EXAMPLES}", b"")
        for index, pattern in _INDEXES.items():
            config = _json(archive, entries[index], path)
            written.writestr(f"model/{index}", json.dumps(config))
            for name in _payloads(config, pattern, path):
                place = f"{index.rpartition('/')[0]}/{name}"
                with (
                    archive.open(entries[place]) as source,
                    written.open(f"model/{place}", "w", force_zip64=True) as to,
                ):
                    shutil.copyfileobj(source, to, 1 << 20)


def _check_kind(entries: dict[str, str], path: Path) -> None:
    if any(name.startswith("code/") for name in entries):
        raise UnsupportedModel(_what_else(path))
    if _GRAPH not in entries and "archive_format" in entries:
        held = sorted(name for name in entries if name.startswith("models/"))
        found = f"programs called {', '.join(held)}" if held else "compiled code only"
        raise UnsupportedModel(f"{path} holds no program called 'model' ({found}); {_EXPORT}")
    if missing := [name for name in (_GRAPH, *_INDEXES) if name not in entries]:
        raise UnsupportedModel(
            f"{path} has no {missing[0]}: its weights are pickled, as PyTorch before 2.9 did, or it is no exported "
            f"program; write it again with a newer PyTorch: {_EXPORT}"
        )


def _payloads(config: Any, pattern: re.Pattern[str], path: Path) -> Iterator[str]:
    """The files that an index names, each once."""
    entries = config.get("config") if isinstance(config, dict) else None
    if not isinstance(entries, dict):
        raise InvalidModel(f"{path}: an index of weights is corrupt")
    names: dict[str, None] = {}
    for tensor, entry in entries.items():
        name = entry.get("path_name") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not pattern.fullmatch(name) or entry.get("use_pickle") is not False:
            raise UnsupportedModel(
                f"{path}: {tensor!r} is stored as a pickle, which runs code when it is read; convert the program in "
                "memory, onnxpress.convert(torch.export.load(path)), if you trust the file"
            )
        names[name] = None
    yield from names


def _json(archive: zipfile.ZipFile, name: str, path: Path) -> Any:
    try:
        return json.loads(archive.read(name))
    except ValueError as error:
        raise InvalidModel(f"{path}: {name} is no JSON") from error
