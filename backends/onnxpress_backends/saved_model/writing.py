"""Backend ``savedmodel``: a folder that TensorFlow serves, and goes on training.

The weights are variables in a checkpoint, so that nothing ends at 2 GB; the rest is the graph of the emitter.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from onnxpress.errors import OnnxpressError, reason
from onnxpress.kinds import Backend

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress_backends.tensorflow.graphs.graph import Graph

_PARTS = frozenset(
    ("saved_model.pb", "fingerprint.pb", "keras_metadata.pb", "variables", "assets", "assets.extra", "debug")
)
"""What TensorFlow and Keras put into a SavedModel."""

SavedMode = Literal["float", "fake-quant", "exact"]


def emit(model: ir.Model, path: Path, *, mode: SavedMode = "fake-quant", nhwc: bool = False) -> list[Path]:
    """Write `model` as a SavedModel, atomically.

    Args:
        model: The model; it is not changed.
        path: The folder; a SavedModel that is there already is replaced.
        mode: What becomes of QuantizeLinear and DequantizeLinear: FakeQuant operators with trainable ranges
            (``fake-quant``), arithmetic that is equal to the last bit (``exact``), nothing (``float``).
        nhwc: Move the channels of inputs and outputs of rank 4 and 5 from axis 1 to the end.  Leave it out
            where they are there already, as in a model that came from TensorFlow.

    Returns:
        The folder.

    Raises:
        UnsupportedModel: A node cannot go to TensorFlow.
        OnnxpressError: There is a folder that is no SavedModel, or the place cannot be written.
    """
    from onnxpress.files import atomic

    check(model, path)
    inference, training = _lowered(model, mode, nhwc)
    with atomic(path) as staged:
        _save(inference, training, set(model.graph.initializers), staged)
    return [path]


def check(model: ir.Model, path: Path) -> None:
    """Nothing that is not part of a SavedModel gets lost, nor the folder that the user is in.

    Raises:
        OnnxpressError: There is a folder that is no SavedModel.
    """
    if not path.is_dir():
        return
    if Path.cwd().is_relative_to(path.resolve()):
        raise OnnxpressError(f"{path} is the folder you are in, or is around it; name a folder inside")
    found = {item.name for item in path.iterdir()}
    strangers = sorted(found - _PARTS)
    if found and "saved_model.pb" not in found:
        raise OnnxpressError(f"{path} holds something that is no SavedModel; name a folder that is new or empty")
    if strangers:
        raise OnnxpressError(
            f"{path} holds a SavedModel and {strangers[0]!r}, which would be lost; name a folder that is new or empty"
        )


def _lowered(model: ir.Model, mode: SavedMode, nhwc: bool) -> tuple[Graph, Graph | None]:
    """The graph for inference, and the one for training where that is another."""
    from onnxpress_backends.tensorflow.preparing import lowered

    inference = lowered(model, mode=mode, nhwc=nhwc)
    holders: list[ir.Graph | ir.Function] = [model.graph, *model.functions.values()]
    if not any(node.op_type == "BatchNormalization" for holder in holders for node in holder.all_nodes()):
        return inference, None
    training = lowered(model, mode=mode, nhwc=nhwc, training=True)
    return inference, training if training.updates else None


def _save(inference: Graph, training: Graph | None, initializers: set[str], folder: Path) -> None:
    from onnxpress.foreign import native_code_muted
    from onnxpress_backends.saved_model import weight_map
    from onnxpress_backends.saved_model.reusable import SIGNATURE, reusable
    from onnxpress_backends.saved_model.settling import settle
    from onnxpress_backends.saved_model.variables import Variables
    from onnxpress_backends.tensorflow_import import import_tensorflow, quiet

    tf: Any = import_tensorflow()
    try:
        with quiet(), native_code_muted():
            variables = Variables(tf, initializers=initializers, statistics=_statistics(training))
            infer = variables.function(inference)
            train = variables.function(training) if training is not None else infer
            asset = folder.with_name(weight_map.NAME)
            variables.weight_map().write(asset)
            root = reusable(tf, infer, train, variables.all, asset)
            tf.saved_model.save(root, str(folder), signatures={SIGNATURE: infer.concrete})
    except tf.errors.OpError as error:
        raise OnnxpressError(f"TensorFlow cannot write {folder.name}: {reason(error)}") from error
    settle(folder)


def _statistics(training: Graph | None) -> set[str]:
    from onnxpress_backends.saved_model.weights import initializer

    kept = [] if training is None else [tensor.node.weight for tensor in training.updates]
    return {initializer(weight.constant) for weight in kept if weight is not None}


SAVED_MODEL = Backend(
    name="savedmodel",
    summary="SavedModel folders for TensorFlow and Keras, served or trained on",
    emit=emit,
    suffixes=("/",),
    check=check,
)
