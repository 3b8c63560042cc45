"""TensorFlow and Keras models, from files or from memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidModel, InvalidOption, UnsupportedModel
from onnxpress.kinds import Frontend
from onnxpress_frontends.mapping.inner_cuts import select
from onnxpress_frontends.opening import saved_model
from onnxpress_frontends.opening.functions import trace
from onnxpress_frontends.opening.graphs import checkpoints, graphdef, meta_graphs
from onnxpress_frontends.opening.keras import files as keras_files
from onnxpress_frontends.opening.keras import models as keras_models
from onnxpress_frontends.opening.named_function import NamedFunction

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress_frontends.opening.tensorflow_reference import TensorFlowReference

_CHECKPOINTS = (checkpoints.META, checkpoints.INDEX)
_KERAS = (*keras_files.ARCHIVES, *keras_files.HDF5)


def load(
    source: Any,
    *,
    inputs: list[str] | None = None,
    outputs: list[str] | None = None,
    signature: str | None = None,
    allow_custom_objects: bool = False,
) -> ir.Model:
    """Convert a TensorFlow source to ONNX.

    The batch dimension stays dynamic and is called ``N``; layouts are TensorFlow's (NHWC images).

    Args:
        source: A SavedModel folder, a ``.keras``, ``.h5`` or frozen ``.pb`` or ``.pbtxt`` file, a checkpoint of
            TensorFlow 1 (``.meta``, ``.index``, or what these names begin with), a `keras.Model`, a `tf.Module` whose
            ``__call__`` is a `tf.function`, a `tf.function` with an input signature, or a concrete function.
        inputs: Names of the inputs; any node may be one.
        outputs: Names of the outputs to keep; any node may be one.
        signature: Key of the SavedModel signature to convert.
        allow_custom_objects: Run Lambda layers and custom objects of Keras files.

    Raises:
        InvalidModel: A file is missing, truncated or corrupt.
        InvalidOption: A name does not exist, or something must be named; candidates are listed.
        UnsupportedModel: The model would run code of its own, or uses operators that have no ONNX form.
    """
    from onnxpress_frontends.finishing import dimensions, io_names, layer_names, quantization_nodes, validity_gate
    from onnxpress_frontends.mapping.tf2onnx_mapping import to_onnx

    function = _open(source, inputs, outputs, signature, allow_custom_objects)
    model = to_onnx(function)
    quantization_nodes.expand(model)
    layer_names.remember(model, function)
    io_names.rename(model, function)
    validity_gate.refuse_foreign_ops(model)
    dimensions.settle_dimensions(model)
    validity_gate.check(model)
    return model


def reference(
    source: Any,
    *,
    inputs: list[str] | None = None,
    outputs: list[str] | None = None,
    signature: str | None = None,
    allow_custom_objects: bool = False,
) -> TensorFlowReference:
    """The source run by TensorFlow itself; options and errors as for `load`."""
    from onnxpress_frontends.opening.tensorflow_reference import TensorFlowReference

    return TensorFlowReference(_open(source, inputs, outputs, signature, allow_custom_objects))


def accepts(source: Any) -> bool:
    """Whether `source` is TensorFlow's, by its suffix, the file in its folder, or the package of its class."""
    if isinstance(source, Path):
        known = source.suffix.lower() in (*graphdef.GRAPHS, *_KERAS) or source.name.endswith(_CHECKPOINTS)
        return known or _saved_model_folder(source) is not None or checkpoints.find_prefix(source) is not None
    packages = {cls.__module__.partition(".")[0] for cls in type(source).__mro__}
    return not packages.isdisjoint(("tensorflow", "keras"))


def _open(
    source: Any, inputs: list[str] | None, outputs: list[str] | None, signature: str | None, allow_custom_objects: bool
) -> NamedFunction:
    folder = _saved_model_folder(source)
    if folder is not None:
        return select(saved_model.open_saved_model(folder, signature, inputs, outputs), inputs, outputs)
    if signature is not None:
        raise InvalidOption("option 'signature' is for SavedModel folders only")
    if not isinstance(source, Path):
        return select(_trace(source), inputs, outputs)
    if source.suffix.lower() in _KERAS:
        model = keras_files.open_keras_file(source, allow_custom_objects=allow_custom_objects)
        return select(keras_models.trace_keras(model), inputs, outputs)
    if source.suffix.lower() in graphdef.GRAPHS:
        return _cut_out(graphdef.open_graphdef, source, inputs, outputs)
    if checkpoints.find_prefix(source) is not None:
        return _cut_out(meta_graphs.open_checkpoint, source, inputs, outputs)
    if source.is_dir():
        raise InvalidModel(f"{source} is not a SavedModel: it holds no {saved_model.GRAPH_FILES[0]}")
    state = "is no TensorFlow model" if source.exists() else "does not exist"
    raise InvalidModel(f"{source} {state}; give a SavedModel folder, or a .keras, .h5, .pb, .pbtxt or .meta file")


def _cut_out(
    open_between: Callable[..., NamedFunction], path: Path, inputs: list[str] | None, outputs: list[str] | None
) -> NamedFunction:
    """A graph between nodes of its own, or between tensors that it has only once its calls are inlined."""
    try:
        return open_between(path, inputs, outputs)
    except InvalidOption:
        if inputs is None and outputs is None:
            raise
        with contextlib.suppress(InvalidOption):
            return select(open_between(path, None, None), inputs, outputs)
        raise


def _saved_model_folder(source: Any) -> Path | None:
    if not isinstance(source, Path):
        return None
    if source.name in saved_model.GRAPH_FILES:
        return source.parent
    return source if any((source / name).is_file() for name in saved_model.GRAPH_FILES) else None


def _trace(source: Any) -> NamedFunction:
    if not accepts(source):
        raise UnsupportedModel(f"an object of type {type(source).__name__!r} is no TensorFlow model or function")
    is_keras = any(cls.__module__.partition(".")[0] == "keras" for cls in type(source).__mro__)
    return keras_models.trace_keras(source) if is_keras else trace(source)


TENSORFLOW = Frontend(
    name="tensorflow",
    summary="SavedModel folders, Keras .keras and .h5, frozen .pb and .pbtxt graphs, TensorFlow 1 checkpoints (.meta), "
    "and Keras models and functions in memory",
    accepts=accepts,
    load=load,
    reference=reference,
)
