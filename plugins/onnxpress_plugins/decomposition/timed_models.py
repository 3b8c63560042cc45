"""What is timed: jobs as a model of their own, in float, or quantised as `insert-qdq` does it.

The weights are drawn from a generator; a kernel takes as long whatever it holds.  Quantised, the model takes and gives
unsigned bytes, so that every convolution in it has an integer kernel and nothing is timed that a whole network does
only once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress_plugins.constants import initializer
from onnxpress_plugins.decomposition.latency import Job, Precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SCALE, _ZERO_POINT = np.float32(0.05), np.uint8(128)


def model_of(jobs: Sequence[Job], precision: Precision) -> ir.Model:
    """A model with input ``x`` that does these jobs, each with what the one before gives."""
    first, is_float = jobs[0], precision == "float32"
    kind = ir.TensorType(ir.DataType.FLOAT if is_float else ir.DataType.UINT8)
    data = ir.Value(name="x", type=kind, shape=ir.Shape((first.repeats, first.weight_shape[1], *first.sizes_in)))
    graph = ir.Graph([data], [], nodes=[], opset_imports={"": 17}, name="stack")
    value, random = data, np.random.default_rng(0)
    for number, job in enumerate(jobs):
        shape = job.weight_shape if job.sizes_in else job.weight_shape[::-1]
        if is_float:
            weight = initializer(graph, f"w{number}", random.standard_normal(shape, np.float32))
            value = _added(graph, f"y{number}", _node(job, [value, weight]))
        else:
            value = _quantised(graph, number, job, value, random.integers(-127, 128, shape, np.int8))
    value.type = data.type
    graph.outputs.append(value)
    return ir.Model(graph, ir_version=10)


def _quantised(graph: ir.Graph, number: int, job: Job, data: ir.Value, numbers: NDArray[Any]) -> ir.Value:
    outputs, axis = job.weight_shape[0], 0 if job.sizes_in else 1
    weight = initializer(graph, f"q{number}", numbers)
    scales = initializer(graph, f"s{number}", np.full(outputs, 0.01, np.float32))
    zeros = initializer(graph, f"z{number}", np.zeros(outputs, np.int8))
    per_tensor = [initializer(graph, f"{name}{number}", np.array(n)) for name, n in (("t", _SCALE), ("o", _ZERO_POINT))]
    float_data = _added(graph, f"d{number}", ir.node("DequantizeLinear", [data, *per_tensor]))
    float_weight = _added(graph, f"f{number}", ir.node("DequantizeLinear", [weight, scales, zeros], {"axis": axis}))
    product = _added(graph, f"p{number}", _node(job, [float_data, float_weight]))
    return _added(graph, f"y{number}", ir.node("QuantizeLinear", [product, *per_tensor]))


def _added(graph: ir.Graph, name: str, node: ir.Node) -> ir.Value:
    graph.append(node)
    node.outputs[0].name = name
    return node.outputs[0]


def _node(job: Job, inputs: Sequence[ir.Value]) -> ir.Node:
    if not job.sizes_in:
        return ir.node("MatMul", inputs)
    pads = [_padding(job, axis) for axis in range(len(job.sizes_in))]
    attributes = {
        "strides": job.strides,
        "dilations": job.dilations,
        "pads": [pad // 2 for pad in pads] + [pad - pad // 2 for pad in pads],
    }
    return ir.node("Conv", inputs, attributes=attributes)


def _padding(job: Job, axis: int) -> int:
    """Zeros that give an axis its size; where they lie takes no time."""
    reach = (job.weight_shape[axis + 2] - 1) * job.dilations[axis] + 1
    return max((job.sizes_out[axis] - 1) * job.strides[axis] + reach - job.sizes_in[axis], 0)
