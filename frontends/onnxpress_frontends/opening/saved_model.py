"""SavedModel folders: one signature of one, found by its key and named by its own keys.

TensorFlow 2 writes an object graph, and its own loader makes functions and variables of it.  Without one the model is
of TensorFlow 1: a graph and a checkpoint, which are read as such.  That runs nothing, is faster, and opens what
`tf.saved_model.load` does not: models without variables, those whose initialisers or unused parts need files or
operators that are not there, and objects of older versions, such as an optimiser of Keras 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidModel, InvalidOption, UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.opening.functions import name_endpoints
from onnxpress_frontends.opening.graphs.graph_soundness import refuse_unsound
from onnxpress_frontends.opening.graphs.meta_graphs import open_signature
from onnxpress_frontends.opening.graphs.proto_files import read_message
from onnxpress_frontends.opening.named_function import NamedFunction
from onnxpress_frontends.opening.op_safety import refuse_harmful
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet

GRAPH_FILES = ("saved_model.pb", "saved_model.pbtxt")
_DEFAULT = "serving_default"
_SERVE = {"serve"}
_INTERNAL = "__saved_model"
"""How TensorFlow's own signatures begin, for initialising and training."""


def open_saved_model(
    folder: Path, signature: str | None, inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None
) -> NamedFunction:
    """The function behind a signature; by default ``serving_default``, or the only one there is.

    Args:
        folder: The folder.
        signature: Key of the signature.
        inputs: In a model of TensorFlow 1, the tensors to begin at; one of TensorFlow 2 comes whole.
        outputs: The tensors to end at, likewise.

    Raises:
        InvalidModel: The folder is no SavedModel, or is truncated or corrupt.
        InvalidOption: The signature or an end does not exist, or one must be named.
        UnsupportedModel: The model holds operators that run code or touch files, or has no signature.
    """
    metas = _read(folder)
    if len(metas) == 1 and metas[0].HasField("object_graph_def"):
        return _load(folder, metas[0], signature)
    return _read_signature(folder, _serving(metas, folder), signature, inputs, outputs)


def _read_signature(
    folder: Path, meta: Any, signature: str | None, inputs: Sequence[str] | None, outputs: Sequence[str] | None
) -> NamedFunction:
    signatures = {key: each for key, each in meta.signature_def.items() if not key.startswith(_INTERNAL)}
    return open_signature(meta, signatures[_choose(signatures, signature, folder)], folder, inputs, outputs)


def _load(folder: Path, meta: Any, signature: str | None) -> NamedFunction:
    refuse_unsound(meta.graph_def, str(folder))
    functions = sorted(meta.object_graph_def.concrete_functions)
    refuse_harmful(meta.graph_def, str(folder), functions=functions)  # loading runs initialisers
    tf = import_tensorflow()
    try:
        with quiet():
            loaded = tf.saved_model.load(str(folder))
    except Exception as error:  # a corrupt folder surfaces as any of a dozen types, and so do bugs of the loader
        try:
            return _read_signature(folder, meta, signature, None, None)
        except InvalidModel:
            raise InvalidModel(f"{folder} is a truncated or corrupt SavedModel: {first_line(error)}") from error
    if not hasattr(loaded, "signatures"):
        raise InvalidModel(f"{folder} is a truncated or corrupt SavedModel: its root is no model")
    chosen = _choose(dict(loaded.signatures), signature, folder)
    return name_endpoints(loaded.signatures[chosen], title=folder.absolute().name, owner=loaded)


def _choose(signatures: Mapping[str, Any], wanted: str | None, folder: Path) -> str:
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


def _serving(metas: Sequence[Any], folder: Path) -> Any:
    """The graph for serving: the one tagged so and nothing else, or the only one tagged so, or the only one."""
    tagged = [(set(meta.meta_info_def.tags), meta) for meta in metas]
    for candidates in (
        [meta for tags, meta in tagged if tags == _SERVE],
        [meta for tags, meta in tagged if tags >= _SERVE],
        list(metas),
    ):
        if len(candidates) == 1:
            return candidates[0]
    known = ", ".join(repr("+".join(sorted(tags))) for tags, _ in tagged)
    raise InvalidOption(
        f"{folder} has several graphs, tagged {known}; save the one to convert with the tag 'serve' alone"
    )


def _read(folder: Path) -> Sequence[Any]:
    path = next((folder / name for name in GRAPH_FILES if (folder / name).is_file()), None)
    if path is None:
        raise InvalidModel(f"{folder} is not a SavedModel: it holds no {GRAPH_FILES[0]}")
    import_tensorflow()
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    metas: Sequence[Any] = read_message(path, SavedModel, "a SavedModel").meta_graphs
    if not metas:
        raise InvalidModel(f"{path} is not a SavedModel, or is truncated or corrupt: it holds no graph")
    return metas
