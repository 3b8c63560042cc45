"""Where a model comes from: the frontend that accepts it, its graph, and the source run by its own framework."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidOption, UnsupportedModel
from onnxpress.kinds import Frontend, Progress, Runner
from onnxpress.runtime import Session

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.registry import Registry


def find_frontend(source: Any, registry: Registry, name: str | None = None) -> Frontend:
    """The frontend called `name`, or the one that accepts `source`.

    Raises:
        UnsupportedModel: None accepts it, or the path does not exist.
    """
    if name is not None:
        return registry.get(Frontend, name)
    source = as_path(source)
    known = registry.all(Frontend)
    accepting = [offer for offer in known.values() if offer.accepts(source)]
    if isinstance(source, Path) and not source.exists() and not (accepting and _begins_names(source)):
        raise UnsupportedModel(f"{source} does not exist; give the path of a model file or folder")
    if len(accepting) == 1:
        return accepting[0]
    what = f"{source}" if isinstance(source, Path) else f"an object of type {type(source).__name__}"
    if accepting:
        names = ", ".join(offer.name for offer in accepting)
        raise UnsupportedModel(f"{what} is accepted by more than one frontend ({names}); name the one to use")
    lost = "".join(f"; plugin {plugin.name!r} did not load: {plugin.error}" for plugin in registry.broken)
    readable = "; ".join(f"{offer.name}: {offer.summary}" for offer in known.values())
    raise UnsupportedModel(f"no frontend reads {what} ({readable}){lost}")


def find_frontends(sources: Sequence[Any], registry: Registry, name: str | None = None) -> list[Frontend]:
    """The frontend of each source: the one called `name` for those that it accepts.

    Raises:
        InvalidOption: It accepts none of them.
        UnsupportedModel: As `find_frontend`.
    """
    named = None if name is None else registry.get(Frontend, name)
    if named is not None and not any(named.accepts(as_path(source)) for source in sources):
        raise InvalidOption(f"frontend {name!r} reads none of the models; leave it out, or name another")
    return [
        named if named is not None and named.accepts(as_path(source)) else find_frontend(source, registry)
        for source in sources
    ]


def _begins_names(path: Path) -> bool:
    """Whether a path stands for several files, as the prefix of a checkpoint does."""
    return any(path.parent.glob(f"{glob.escape(path.name)}.*"))


def load(source: Any, reader: Frontend, options: Mapping[str, Any], progress: Progress) -> ir.Model:
    """Read `source` with a frontend; `options` are its own, checked."""
    with progress.task(f"reading ({reader.name})", None):
        return reader.load(as_path(source), **options)


def open_runner(
    source: Any, reader: Frontend, options: Mapping[str, Any], progress: Progress, *, threads: int | None = None
) -> Runner:
    """A source ready to run: by its own framework where the frontend knows it, else by onnxruntime unoptimised."""
    if reader.reference is None:
        return Session(load(source, reader, options, progress), threads=threads)
    with progress.task(f"reading ({reader.name})", None):
        return reader.reference(as_path(source), **options)


def as_path(source: Any) -> Any:
    """A string is the path of a file; anything else is itself."""
    return Path(source) if isinstance(source, str) else source
