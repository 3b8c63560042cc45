"""What onnxruntime really runs: the nodes of its optimised graph, joined with a profile of them.

onnxruntime turns DequantizeLinear - Conv - QuantizeLinear into one integer kernel where its rules allow, and leaves the
rest in float.  The optimised graph tells which, the profile how long each node takes and on what types and shapes.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal

import onnx_ir as ir

from onnxpress.measuring.float_reasons import reason
from onnxpress.measuring.macs import WEIGHT_INPUT, is_depthwise, macs
from onnxpress.runtime import Session

if TYPE_CHECKING:
    from onnxpress.kinds import Feeds

Category = Literal["integer", "float", "convert", "other"]
CATEGORIES: tuple[Category, ...] = ("integer", "float", "convert", "other")
QUANTIZE = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
"""Operators that only a quantised model has."""

_CONVERT = {
    *(*QUANTIZE, "Cast"),
    *("ReorderInput", "ReorderOutput"),
}
_INTEGER = {
    *("QGemm", "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"),
    *("QAttention", "QEmbedLayerNormalization", "MatMulNBits", "NhwcMaxPool"),
}
_MOVES = {
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Transpose", "Slice", "Split", "Concat", "Gather"),
    *("Expand", "Tile", "Shape", "Constant", "ConstantOfShape", "Range", "If", "Loop", "Scan"),
}


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """One node of the optimised graph.

    Attributes:
        node: The node.
        category: What kind of work it does.
        milliseconds: Median time per run.
        macs: Multiply-accumulates per run.
        depthwise: Whether it is a depthwise convolution.
        reason: Why it is float; empty when it is not.
    """

    node: ir.Node
    category: Category
    milliseconds: float
    macs: int
    depthwise: bool
    reason: str


@dataclass(frozen=True)
class _Event:
    """The profile of one node: time in milliseconds, types of the inputs, type and shape of each output."""

    milliseconds: float
    inputs: tuple[str, ...]
    outputs: tuple[tuple[str, tuple[int, ...]], ...]


def kernels(model: ir.Model | Path, feeds: Feeds, *, threads: int | None = 1, runs: int = 5) -> list[Kernel]:
    """The nodes onnxruntime runs for `model`, in order, with the time each takes on `feeds`.

    Nodes inside If and Loop are part of these.

    Args:
        model: The model or its file.
        feeds: One batch of inputs.
        threads: Intra-op threads.
        runs: Profiled runs after one to warm up.

    Raises:
        InvalidModel: onnxruntime rejects the model.
        InvalidData: It cannot run on `feeds`.
    """
    with tempfile.TemporaryDirectory(prefix="onnxpress-") as name:
        folder = Path(name)
        session = Session(
            model, optimize=True, threads=threads, save_optimized=folder / "optimized.onnx", profile=folder / "profile"
        )
        for _ in range(runs + 1):
            session.run(feeds)
        events = _events(json.loads(Path(session.raw.end_profiling()).read_text(encoding="utf-8")))
        graph = ir.load(folder / "optimized.onnx").graph
        return list(_join(graph, events, feeds))


def _events(profile: list[dict[str, Any]]) -> dict[str, _Event]:
    times: dict[str, list[float]] = defaultdict(list)
    arguments: dict[str, dict[str, Any]] = {}
    for event in profile:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name = event["name"].removesuffix("_kernel_time")
            times[name].append(event["dur"] / 1000)
            arguments[name] = event["args"]
    return {
        name: _Event(
            milliseconds=median(times[name][1:] or times[name]),
            inputs=tuple(dtype for entry in found["input_type_shape"] for dtype in entry),
            outputs=tuple(
                (dtype, tuple(shape)) for entry in found["output_type_shape"] for dtype, shape in entry.items()
            ),
        )
        for name, found in arguments.items()
    }


def _join(graph: ir.Graph, events: Mapping[str, _Event], feeds: Feeds) -> Iterator[Kernel]:
    """Match nodes with events: by name, and those without a name, which onnxruntime numbers, by their order."""
    nameless: dict[str, Iterator[_Event]] = {}
    shapes: dict[str, tuple[int, ...]] = {name: array.shape for name, array in feeds.items()}
    shapes.update((name, tuple(value.shape.numpy())) for name, value in graph.initializers.items() if value.shape)
    for node in graph:
        if not node.name and node.op_type not in nameless:
            pattern = re.compile(rf"{node.op_type}_\d+")
            nameless[node.op_type] = iter([event for name, event in events.items() if pattern.fullmatch(name)])
        event = events.get(node.name) if node.name else next(nameless[node.op_type], None)
        outputs = event.outputs if event is not None else ()
        shapes.update((value.name or "", shape) for value, (_, shape) in zip(node.outputs, outputs, strict=False))
        yield _kernel(node, event, shapes)


def _kernel(node: ir.Node, event: _Event | None, shapes: Mapping[str, tuple[int, ...]]) -> Kernel:
    position = WEIGHT_INPUT.get(node.op_type)
    used = [] if position is None else [node.inputs[0], node.inputs[position], node.outputs[0]]
    known = [shapes[value.name or ""] for value in used if value is not None and value.name in shapes]
    complete = len(known) == 3
    transposed = bool(node.attributes.get_int("transB", 0))
    category = _categorize(node.op_type, event.inputs[0] if event is not None and event.inputs else "")
    return Kernel(
        node=node,
        category=category,
        milliseconds=event.milliseconds if event is not None else 0.0,
        macs=macs(node.op_type, *known, transposed=transposed) if complete else 0,
        depthwise=complete and is_depthwise(node.op_type, known[1], node.attributes.get_int("group", 1) or 1),
        reason=reason(node) if category == "float" else "",
    )


def _categorize(op_type: str, dtype: str) -> Category:
    if op_type in _CONVERT:
        return "convert"
    if op_type.startswith("QLinear") or op_type in _INTEGER or dtype in ("int8", "uint8"):
        return "integer"
    if op_type in _MOVES or dtype not in ("float", "float16", "double", "bfloat16", ""):
        return "other"
    return "float"
