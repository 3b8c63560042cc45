"""TensorFlow's converter, asked for one of four kinds of numbers, and what it says put into one line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from onnxpress.errors import UnsupportedModel, reason
from onnxpress_backends.saved_model.functions import Function
from onnxpress_backends.tensorflow.graphs.graph import Graph, Node

Precision = Literal["float", "float16", "dynamic", "int8"]

_LACKING = re.compile(r"'tf\.(\w+)' op is neither a custom op nor a flex op")
_REASON = re.compile(r"error: (.+)")


def converted(
    tf: Any,
    graph: Graph,
    function: Function,
    weights: Sequence[Any],
    *,
    precision: Precision,
    integer_io: bool,
    sparse: bool,
) -> bytes:
    """`function` as a TFLite file.

    Args:
        tf: TensorFlow.
        graph: What the function was made of.
        function: The function.
        weights: The variables it reads.
        precision: How numbers are stored and computed.
        integer_io: Inputs and outputs are int8.
        sparse: Weights with many zeros are stored without them.

    Raises:
        UnsupportedModel: TFLite has no such operators, or the file would pass 2 GB.
    """
    root = tf.Module()
    root.call, root.weights = function.call, list(weights)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.concrete], root)
    converter.optimizations = [tf.lite.Optimize.DEFAULT] if precision != "float" else []
    if sparse:
        converter.optimizations.append(tf.lite.Optimize.EXPERIMENTAL_SPARSITY)
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if integer_io:
        converter.inference_input_type = converter.inference_output_type = tf.int8
    try:
        content = converter.convert()
    except Exception as error:  # the converter raises its own error, and what its C++ throws
        raise UnsupportedModel(f"TFLite cannot hold the model: {_complaint(error, graph)}") from error
    return bytes(content)


def _complaint(error: Exception, graph: Graph) -> str:
    """What is lacking, with the ONNX node it was needed for; else what the converter calls an error."""
    lacking = dict.fromkeys(_LACKING.findall(str(error)))
    if not lacking:
        found = _REASON.search(str(error))
        return found[1] if found else reason(error)[:300]
    nodes = list(_nodes(graph))
    origins = {op: next((node.origin for node in nodes if node.op == op and node.origin), "") for op in lacking}
    told = "; ".join(f"{op}, for {origin}" if origin else op for op, origin in origins.items())
    return f"it has no operator {told}; choose other operators in the model, or backend 'savedmodel'"


def _nodes(graph: Graph) -> Iterator[Node]:
    yield from graph.nodes
    for function in graph.functions:
        yield from function.nodes
