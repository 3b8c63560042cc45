"""A model of one node, made of arrays: some are constants of it, others are fed."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
from hypothesis import HealthCheck, settings

FEW = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""Each example is a model of its own."""


@dataclass(frozen=True)
class Case:
    """A model and what it is fed."""

    model: ir.Model
    feeds: dict[str, Any]


def case(
    op: str,
    inputs: dict[str, Any],
    *,
    constants: Collection[str] = (),
    unknown: Collection[str] = (),
    outputs: int = 1,
    opset: int = 22,
    **attributes: Any,
) -> Case:
    """A node `op`.

    Args:
        op: The operator.
        inputs: Arrays by name, in order; None for one that is not given.
        constants: The inputs that are initialisers.
        unknown: The inputs that have no known size but that of the channels.
        outputs: How many outputs are asked for; those after the first are int64.
        opset: The version.
        **attributes: Of the node.
    """
    given = {name: np.asarray(array) for name, array in inputs.items() if array is not None}
    kinds = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in given.items()}
    shapes = {
        name: [f"{name}{axis}" if name in unknown and axis != 1 else size for axis, size in enumerate(array.shape)]
        for name, array in given.items()
    }
    fed = [name for name in given if name not in constants]
    results = [f"y{index}" for index in range(outputs)]
    node = onnx.helper.make_node(op, [name if name in given else "" for name in inputs], results, **attributes)
    first = kinds[next(iter(given))]
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info(name, kinds[name], shapes[name]) for name in fed],
        [
            onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64 if index else first, None)
            for index, name in enumerate(results)
        ],
        [onnx.numpy_helper.from_array(given[name], name) for name in constants if name in given],
    )
    proto = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)
    return Case(ir.serde.deserialize_model(proto), {name: given[name] for name in fed})


def normal(*shape: int, seed: int = 0) -> Any:
    """Random float32 numbers."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
