"""Backend ``tflite``: through TensorFlow's own converter, with the scales that the model has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress.errors import InvalidOption, UnsupportedModel
from onnxpress.kinds import Backend
from onnxpress_backends.saved_model.parameters import Parameter, Place
from onnxpress_backends.tflite.converting import Precision

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress_backends.tensorflow.graphs.graph import Graph, Node

_SMALL = 4096
"""Bytes of a weight that is a constant from the beginning."""

_LARGEST = 2**31 - 1
"""Bytes that a GraphDef, and a flatbuffer, can hold."""


def emit(
    model: ir.Model,
    path: Path,
    *,
    precision: Precision | None = None,
    integer_io: bool = False,
    sparse: bool = False,
    nhwc: bool = False,
    batch: int | None = None,
) -> list[Path]:
    """Write `model` as a TFLite file, atomically; it is run once, and is not written if it fails.

    Args:
        model: The model; it is not changed.
        path: Where the file goes.
        precision: Numbers of 32 bits (``float``), weights of 16 (``float16``), weights of 8 and arithmetic that follows
            the data (``dynamic``), or integers throughout with the scales of the model's QuantizeLinear nodes
            (``int8``).  None: ``int8`` if the model has such nodes, else ``float``.
        integer_io: With ``int8``, inputs and outputs are int8, too.
        sparse: Weights with many zeros are stored without them; from about 60 % zeros the file gets smaller.
        nhwc: Move the channels of inputs and outputs of rank 4 and 5 from axis 1 to the end.  Leave it out
            where they are there already, as in a model that came from TensorFlow.
        batch: Samples that go in at a time; None leaves an open batch open.

    Returns:
        The file.

    Raises:
        InvalidOption: The options contradict each other or the model.
        UnsupportedModel: A node cannot go to TensorFlow or TFLite, the file would pass 2 GB, or does not run.
        OnnxpressError: The place cannot be written.
    """
    from onnxpress.files import atomic

    quantized = any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.graph.all_nodes())
    precision = precision or ("int8" if quantized else "float")
    if precision == "int8" and not quantized:
        raise UnsupportedModel(
            "precision int8 takes its scales from QuantizeLinear nodes, and the model has none; run recipe int8 with "
            "target tflite first"
        )
    check(model, path, precision=precision, integer_io=integer_io, batch=batch)
    content = _content(model, precision, integer_io=integer_io, sparse=sparse, nhwc=nhwc, batch=batch)
    with atomic(path) as staged:
        staged.write_bytes(content)
    return [path]


def check(
    model: ir.Model,
    path: Path,
    *,
    precision: Precision | None = None,
    integer_io: bool = False,
    batch: int | None = None,
) -> None:
    """Refuse options that contradict each other or the inputs of the model; arguments as for `emit`.

    Raises:
        InvalidOption: They do.
    """
    from onnxpress_backends.batching import with_batch

    if integer_io and precision not in (None, "int8"):
        raise InvalidOption(f"option 'integer_io' goes with precision int8, not {precision}")
    if batch is not None:
        with_batch(model, batch)


def _content(
    model: ir.Model, precision: Precision, *, integer_io: bool, sparse: bool, nhwc: bool, batch: int | None
) -> bytes:
    from onnxpress.foreign import native_code_muted
    from onnxpress_backends.batching import with_batch
    from onnxpress_backends.saved_model.functions import function
    from onnxpress_backends.tensorflow.preparing import lowered
    from onnxpress_backends.tensorflow_import import import_tensorflow, quiet
    from onnxpress_backends.tflite.clips import as_extremes
    from onnxpress_backends.tflite.converting import converted
    from onnxpress_backends.tflite.dense_layers import as_convolutions
    from onnxpress_backends.tflite.trying import attempt

    if batch is not None:
        model = with_batch(model, batch)
    graph = lowered(model, mode="fake-quant" if precision == "int8" else "float", nhwc=nhwc)
    _refuse_large(graph)
    as_convolutions(graph)
    as_extremes(graph)
    tf = import_tensorflow()
    with quiet(), native_code_muted():
        places = _places(graph)
        variables = {place.parameter: tf.Variable(place.parameter.array()) for place in places.values()}
        made = function(tf, graph, places, variables)
        weights = list(variables.values())
        content = converted(tf, graph, made, weights, precision=precision, integer_io=integer_io, sparse=sparse)
        attempt(tf, content, made, precision)
    return content


def _places(graph: Graph) -> dict[Node, Place]:
    """Large weights are variables: the converter freezes them once, and copies constants again and again."""
    large = [node for node in graph.nodes if node.weight is not None and node.weight.nbytes > _SMALL]
    return {
        node: Place(parameter=Parameter(name=node.name, trainable=False, array=node.weight.array))
        for node in large
        if node.weight is not None and node.weight.dtype.is_float
    }


def _refuse_large(graph: Graph) -> None:
    size = sum(node.weight.nbytes for node in graph.nodes if node.weight is not None)
    if size > _LARGEST:
        raise UnsupportedModel(
            f"the converter takes at most 2 GB, and the weights have {size / 2**30:.1f}; choose backend 'savedmodel'"
        )


TFLITE = Backend(
    name="tflite",
    summary="TFLite files: float, 16 bits, int8 with the model's own scales, sparse",
    emit=emit,
    suffixes=(".tflite",),
    check=check,
)
