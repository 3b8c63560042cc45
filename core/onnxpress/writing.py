"""A model, and beside it the files that passes leave with it.

What a pass puts into `Notes.files` under ``.decomposition.json`` is written beside ``model.onnx`` as
``model.decomposition.json``, and beside the folder ``model/`` likewise; if a second pass of the run leaves one, too, as
``model.decomposition.2.json``.  They appear once the model has, and not at all if it cannot be written.

A file of that kind from an earlier run describes the model that is now replaced.  It is set aside as ``<name>.old``, so
that nobody takes it for one of the new model, and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count, takewhile
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from onnxpress.errors import OnnxpressError
from onnxpress.files import publish_all, size, staging
from onnxpress.kinds import WARNINGS_KEY, Backend, Pass
from onnxpress.options import schema

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.records import Run
    from onnxpress.registry import Registry


@dataclass(frozen=True, kw_only=True)
class Destination:
    """Where a model goes.

    Attributes:
        path: A file or a folder.
        writer: What writes it.
        options: Those of the writer.
    """

    path: Path
    writer: Backend
    options: Mapping[str, Any]

    def check(self, model: ir.Model) -> None:
        """Refuse what could not be written in the end, while nothing slow has been done.

        Args:
            model: As it was read, before any pass.

        Raises:
            OnnxpressError: What the backend would raise in the end.
        """
        check = self.writer.check
        if check is not None:
            taken = {option.name for option in schema(check)}
            check(model, self.path, **{name: value for name, value in self.options.items() if name in taken})

    def write(self, model: ir.Model, run: Run, registry: Registry) -> None:
        """Write a model, and beside it what the passes of its run leave.

        Args:
            model: What to write.
            run: How the model came to be; it gets the files, the bytes that the model is of them, what the writer warns
                of, and a warning for each file that is set aside.
            registry: The passes, which say what earlier runs may have left.

        Raises:
            OnnxpressError: A place cannot be written, or the disk is full.
        """
        folder, stem = self.path.parent, _stem(self.path, self.writer)
        texts = {f"{stem}{ending}": text for ending, text in _texts(run)}
        for name in texts:
            if (folder / name).is_dir():
                raise OnnxpressError(f"{folder / name} is a folder, and a file of this name goes beside the model")
        endings = {ending for offer in registry.all(Pass).values() for ending in offer.extras}
        stale = [old for ending in sorted(endings) for old in _there(folder, stem, ending) if old.name not in texts]
        model.meta.pop(WARNINGS_KEY, None)
        with staging(self.path.absolute().parent) as staged:
            for name, text in texts.items():
                (staged / name).write_bytes(text.encode())
            written = list(self.writer.emit(model, self.path, **self.options))
            publish_all([staged / name for name in texts], folder)
            for old in stale:
                run.warnings.append(f"{old} describes an earlier model; it is now called {old.name}.old")
                old.replace(old.with_name(f"{old.name}.old"))
        run.warnings += model.meta.get(WARNINGS_KEY, [])
        run.files = [*map(str, written), *(str(folder / name) for name in texts)]
        run.size_after = sum(size(file) for file in written if not file.name.endswith(self.writer.extras))


def _stem(path: Path, writer: Backend) -> str:
    """What the names of the files beside a model begin with: its own, without what stands for the format."""
    known = [suffix for suffix in writer.suffixes if path.name.endswith(suffix)]
    ending = max(known, key=len, default="" if "/" in writer.suffixes else path.suffix)
    return path.name.removesuffix(ending)


def _texts(run: Run) -> Iterator[tuple[str, str]]:
    found: dict[str, int] = {}
    for step in run.steps:
        for ending, text in step.notes.files.items():
            found[ending] = found.get(ending, 0) + 1
            yield _numbered(ending, found[ending]), text


def _there(folder: Path, stem: str, ending: str) -> Iterator[Path]:
    """The files of a kind that are beside a model."""
    return takewhile(Path.is_file, (folder / f"{stem}{_numbered(ending, number)}" for number in count(1)))


def _numbered(ending: str, number: int) -> str:
    """``.decomposition.json``, ``.decomposition.2.json``."""
    kind = PurePath(ending).suffix
    return ending if number == 1 else f"{ending.removesuffix(kind)}.{number}{kind}"
