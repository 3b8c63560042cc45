"""SavedModel folders: one signature of one, found by its key and named by its own keys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidModel, InvalidOption, UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.opening.functions import name_endpoints
from onnxpress_frontends.opening.named_function import NamedFunction
from onnxpress_frontends.opening.op_safety import refuse_harmful
from onnxpress_frontends.opening.saved_model_roots import roots_of
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet

GRAPH_FILE = "saved_model.pb"
_DEFAULT = "serving_default"


def open_saved_model(folder: Path, signature: str | None) -> NamedFunction:
    """The function behind a signature; by default ``serving_default``, or the only one there is.

    Raises:
        InvalidModel: The folder is no SavedModel, or is truncated or corrupt.
        InvalidOption: The signature does not exist, or one must be named.
        UnsupportedModel: The model holds operators that run code or touch files, or has no signature.
    """
    _inspect(folder)
    tf = import_tensorflow()
    try:
        with quiet():
            loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # a corrupt folder surfaces as any of a dozen types
        raise InvalidModel(f"{folder} is a truncated or corrupt SavedModel: {first_line(error)}") from error
    chosen = _choose(dict(loaded.signatures), signature, folder)
    return name_endpoints(loaded.signatures[chosen], title=folder.absolute().name, owner=loaded)


def _choose(signatures: dict[str, Any], wanted: str | None, folder: Path) -> str:
    known = ", ".join(repr(key) for key in sorted(signatures))
    if not signatures:
        raise UnsupportedModel(f"{folder} has no signature; save it with signatures=, or load it and pass a function")
    if wanted is not None:
        if wanted not in signatures:
            raise InvalidOption(f"{folder} has no signature {wanted!r}; it has {known}")
        return wanted
    if _DEFAULT in signatures:
        return _DEFAULT
    if len(signatures) > 1:
        raise InvalidOption(f"{folder} has several signatures, {known}; name one with option 'signature'")
    return next(iter(signatures))


def _inspect(folder: Path) -> None:
    """Look into the graph before TensorFlow loads it, because loading runs initialisers."""
    path = folder / GRAPH_FILE
    if not path.is_file():
        raise InvalidModel(f"{folder} is not a SavedModel: it holds no {GRAPH_FILE}")
    import_tensorflow()
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    try:
        model = SavedModel.FromString(path.read_bytes())
        roots = [roots_of(meta) for meta in model.meta_graphs]
    except (DecodeError, OSError) as error:
        raise InvalidModel(f"{path} is truncated or corrupt") from error
    if not model.meta_graphs:
        raise InvalidModel(f"{path} is truncated or corrupt: it holds no graph")
    for meta, reach in zip(model.meta_graphs, roots, strict=True):
        refuse_harmful(meta.graph_def, str(folder), roots=reach)
