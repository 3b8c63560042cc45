"""What is in a model: operators, parameters, multiply-accumulates, and how much of it is quantised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import onnx_ir as ir

from onnxpress.measuring.macs import WEIGHT_INPUT, macs
from onnxpress.model_files import size
from onnxpress.records import Inspection, PortShape
from onnxpress.verify import infer_shapes

_QDQ = ("QuantizeLinear", "DequantizeLinear")


def inspect(model: ir.Model) -> Inspection:
    """Count what is in `model`, subgraphs included; it is not changed.

    Raises:
        InvalidModel: Its shapes contradict each other.
    """
    model = model.clone()
    infer_shapes(model)
    nodes = list(model.graph.all_nodes())
    counted = [(node, node_macs(node)) for node in nodes if node.op_type in WEIGHT_INPUT]
    total = sum(number or 0 for _, number in counted)
    quantized = sum(number or 0 for node, number in counted if is_quantized(node))
    operators = Counter(f"{node.domain}.{node.op_type}" if node.domain else node.op_type for node in nodes)
    return Inspection(
        inputs=_ports(model.graph.inputs),
        outputs=_ports(model.graph.outputs),
        operators=dict(sorted(operators.items(), key=lambda item: (-item[1], item[0]))),
        nodes=len(nodes),
        node_names=tuple(node.name or "" for node in nodes),
        node_ops=tuple(node.op_type for node in nodes),
        parameters=sum(tensor.size for tensor in _parameters(model)),
        bytes=size(model),
        macs=total,
        macs_unknown=sum(number is None for _, number in counted),
        quantized_share=quantized / total if total else 0.0,
        opsets=dict(sorted(model.opset_imports.items())),
        ir_version=model.ir_version,
        producer=" ".join(filter(None, (model.producer_name, model.producer_version))),
    )


def node_macs(node: ir.Node) -> int | None:
    """Multiply-accumulates of `node` for one sample, dynamic dimensions taken as 1; None when a shape is unknown."""
    position = WEIGHT_INPUT[node.op_type]
    used = [node.inputs[0], node.inputs[position] if len(node.inputs) > position else None, node.outputs[0]]
    shapes = [value.shape for value in used if value is not None and value.shape is not None]
    if len(shapes) < 3:
        return None
    data, weight, output = ([size if isinstance(size, int) else 1 for size in shape] for shape in shapes)
    return macs(node.op_type, data, weight, output, transposed=bool(node.attributes.get_int("transB", 0)))


def is_quantized(node: ir.Node) -> bool:
    """Whether data and weight of `node` are integers, or come straight from a DequantizeLinear."""
    if node.op_type.startswith("QLinear") or node.op_type in ("QGemm", "ConvInteger", "MatMulInteger"):
        return True
    producers = [value.producer() if value is not None else None for value in node.inputs[:2]]
    return all(producer is not None and producer.op_type == "DequantizeLinear" for producer in producers)


def _parameters(model: ir.Model) -> Iterator[ir.TensorProtocol]:
    for graph in model.graphs():
        for value in graph.initializers.values():
            scale_or_zero_point = value.uses() and all(
                user.op_type in _QDQ and index > 0 for user, index in value.uses()
            )
            if value.const_value is not None and not scale_or_zero_point:
                yield value.const_value


def _ports(values: Sequence[ir.Value]) -> tuple[PortShape, ...]:
    return tuple(
        PortShape(
            name=value.name or "",
            dtype=str(value.dtype.numpy()) if value.dtype is not None else "unknown",
            shape=None
            if value.shape is None
            else tuple(size if isinstance(size, int) else size.value for size in value.shape),
        )
        for value in values
    )
