"""What is timed: jobs as a model of their own, in float, or quantised as `insert-qdq` does it.

The weights are drawn from a generator; a kernel takes as long whatever it holds.  Quantised, the model takes and gives
unsigned bytes, channels last, as onnxruntime has them inside a network: nothing is timed that a network does only once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from onnxpress.constants import initializer
from onnxpress_plugins.decomposition.speed.latency import Job, Precision

_SCALE, _ZERO_POINT = np.float32(0.05), np.uint8(128)


def model_of(jobs: Sequence[Job], precision: Precision) -> ir.Model:
    """A model with input ``x`` that does these jobs, each with what the one before gives."""
    is_float, axes = precision == "float32", len(jobs[0].sizes_in)
    sizes = [jobs[0].repeats, jobs[0].weight_shape[1], *jobs[0].sizes_in]
    order = [0, *range(2, axes + 2), 1] if axes and not is_float else list(range(axes + 2))
    kind = ir.TensorType(ir.DataType.FLOAT if is_float else ir.DataType.UINT8)
    data = ir.Value(name="x", type=kind, shape=ir.Shape([sizes[at] for at in order]))
    graph = ir.Graph([data], [], nodes=[], opset_imports={"": 17}, name="stack")
    random, part = np.random.default_rng(0), _float if is_float else _quantised
    value = _turned(graph, "first", data, np.argsort(order).tolist())
    for number, job in enumerate(jobs):
        value = part(graph, number, job, value, random)
    value = _turned(graph, "last", value, order)
    value.type = kind
    graph.outputs.append(value)
    return ir.Model(graph, ir_version=10)


def _turned(graph: ir.Graph, name: str, value: ir.Value, order: list[int]) -> ir.Value:
    turns = order != sorted(order)
    return _added(graph, name, ir.node("Transpose", [value], {"perm": order})) if turns else value


def _float(graph: ir.Graph, number: int, job: Job, data: ir.Value, random: np.random.Generator) -> ir.Value:
    weight = initializer(graph, f"w{number}", random.standard_normal(_arranged(job), np.float32))
    return _added(graph, f"y{number}", _node(job, [data, weight]))


def _quantised(graph: ir.Graph, number: int, job: Job, data: ir.Value, random: np.random.Generator) -> ir.Value:
    outputs, axis = job.weight_shape[0], 0 if job.sizes_in else 1
    weight = initializer(graph, f"q{number}", random.integers(-127, 128, _arranged(job), np.int8))
    scales = initializer(graph, f"s{number}", np.full(outputs, 0.01, np.float32))
    zeros = initializer(graph, f"z{number}", np.zeros(outputs, np.int8))
    per_tensor = [initializer(graph, f"{name}{number}", np.array(n)) for name, n in (("t", _SCALE), ("o", _ZERO_POINT))]
    float_data = _added(graph, f"d{number}", ir.node("DequantizeLinear", [data, *per_tensor]))
    float_weight = _added(graph, f"f{number}", ir.node("DequantizeLinear", [weight, scales, zeros], {"axis": axis}))
    product = _added(graph, f"p{number}", _node(job, [float_data, float_weight]))
    return _added(graph, f"y{number}", ir.node("QuantizeLinear", [product, *per_tensor]))


def _arranged(job: Job) -> tuple[int, ...]:
    return job.weight_shape if job.sizes_in else job.weight_shape[::-1]


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
