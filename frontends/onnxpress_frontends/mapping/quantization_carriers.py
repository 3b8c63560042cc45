"""Simulated quantisation on its way through tf2onnx, which folds it over constants and knows one scale of 8 bits only.

What quantises becomes a *carrier*: a ``FakeQuantWithMinMaxArgs`` whose only input is what it quantises, with its grid
in attributes of its own (`grid_attributes`).  Carriers come out of tf2onnx as they go in, and
`finishing.quantization_nodes` makes QuantizeLinear and DequantizeLinear of them.

A constant is computed by TensorFlow up to and including its quantisation, so that it is what TensorFlow has to the last
bit, and becomes a weight beside the graph, as which nothing folds it.

The graph must have been optimised: a range is constant by then or never will be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress.errors import UnsupportedModel
from onnxpress_frontends.mapping import grid_attributes
from onnxpress_frontends.mapping.constant_tensors import FLOAT, Constants, hold
from onnxpress_frontends.mapping.quantization_grids import CentredGrids, Grid, nudged
from onnxpress_frontends.reachability import source_of

if TYPE_CHECKING:
    from onnxpress.kinds import Array

CARRIER = "FakeQuantWithMinMaxArgs"


def carry(graph: Any, weights: dict[str, Array]) -> None:
    """Make every quantising node of an optimised `GraphDef` a carrier, in place.

    Args:
        graph: The graph, and the loops and branches it calls.
        weights: The value of every placeholder that is no input, by node name; constants that are quantised join it.

    Raises:
        UnsupportedModel: A node quantises to a range that is not known, or is not sound, or quantises no float32.
    """
    nodes = [node for node in graph.node if node.op in _GRIDS and not grid_attributes.has_grid(node)]
    constants = Constants(graph, weights)
    values = constants.values([name for node in nodes for name in _telling(node) if name in constants])
    for node in nodes:
        grid = _grid(_Arguments(node, values, graph))
        if node.name in values:
            hold(graph, node, values[node.name], weights)
        _become_carrier(node, grid)
    for function in graph.library.function:
        _carry_inside(function, graph)


def _telling(node: Any) -> list[str]:
    """The tensors that a grid depends on: the result shows whether the data are constant, the data may be the range."""
    return [node.name, *(node.input[1:] if node.op.startswith("FakeQuant") else node.input)]


def _carry_inside(function: Any, graph: Any) -> None:
    """Make carriers in a loop or branch; constants that are quantised there become what TensorFlow makes of them."""
    from tensorflow import make_ndarray

    constants = {node.name: node for node in function.node_def if node.op == "Const"}
    for node in function.node_def:
        if node.op not in _GRIDS or grid_attributes.has_grid(node):
            continue
        known = {name: constants[source_of(name)] for name in node.input if source_of(name) in constants}
        values = {name: make_ndarray(constant.attr["value"].tensor) for name, constant in known.items()}
        grid = _grid(_Arguments(node, values, graph))
        # outputs of a function's nodes are called after the operator's
        old = "outputs" if node.op.startswith("FakeQuant") else "output"
        new = "output" if node.input[0] in known else "outputs"
        _rename(function, f"{node.name}:{old}:0", f"{node.name}:{new}:0")
        if node.input[0] in known:
            _become_constant(node, [*known.values()], graph)
        else:
            _become_carrier(node, grid)


def _become_constant(node: Any, operands: list[Any], graph: Any) -> None:
    """Compute a node in a function, whose inputs are all constants."""
    from tensorflow import make_tensor_proto

    part = type(graph)(versions=graph.versions, node=[*operands, node])
    part.node[-1].input[:] = [source_of(name) for name in node.input if not name.startswith("^")]
    (value,) = Constants(part, {}).values([node.name]).values()
    del node.input[:]
    node.op = "Const"
    node.attr.clear()
    node.attr["dtype"].type = FLOAT
    node.attr["value"].tensor.CopyFrom(make_tensor_proto(value))


def _become_carrier(node: Any, grid: Grid | CentredGrids) -> None:
    del node.input[1:]
    node.op = CARRIER
    node.attr.clear()
    grid_attributes.write(node, grid)


def _rename(function: Any, old: str, new: str) -> None:
    for node in function.node_def:
        node.input[:] = [new if name == old else name for name in node.input]
    for key, name in list(function.ret.items()):
        function.ret[key] = new if name == old else name


class _Arguments:
    """What a quantising node is given: attributes, defaults included, and the values of constant inputs."""

    def __init__(self, node: Any, values: Mapping[str, Array], graph: Any) -> None:
        self.node = node
        self._values = values
        self._graph = graph

    def attribute(self, name: str) -> Any:
        """An attribute, as protobuf has it."""
        from tensorflow.python.framework import op_def_registry

        if name in self.node.attr:
            return self.node.attr[name]
        return next(known.default_value for known in op_def_registry.get(self.node.op).attr if known.name == name)

    def data(self) -> Array | None:
        """What is quantised, None when it is computed."""
        return self._values.get(self.node.input[0])

    def rank(self) -> int:
        """How many dimensions the data have.

        Raises:
            ValueError: That is not known.
        """
        import tensorflow as tf

        with tf.Graph().as_default() as graph:
            tf.graph_util.import_graph_def(self._graph, name="")
        operations = {operation.name: operation for operation in graph.get_operations()}
        rank: int | None = operations[self.node.name].inputs[0].shape.rank if self.node.name in operations else None
        if rank is None:
            raise ValueError("the rank of its data is not known")
        return rank

    def input(self, index: int, *, whole: bool) -> Array:
        """A constant input, one number if it stands for the `whole` tensor.

        Raises:
            ValueError: It is not constant.
        """
        value = self._values.get(self.node.input[index])
        if value is None:
            raise ValueError("its range is computed when the model runs")
        return value.reshape(() if whole else -1)


def _grid(given: _Arguments) -> Grid | CentredGrids:
    node = given.node
    try:
        if "T" in node.attr and node.attr["T"].type != FLOAT:
            raise ValueError("it quantises other numbers than float32")
        return _GRIDS[node.op](given)
    except ValueError as error:
        raise UnsupportedModel(
            f"{node.op} {node.name!r} cannot be converted: {error}; correct it, or export the model without it"
        ) from error


def _fake_quantization(given: _Arguments) -> Grid:
    per_channel = given.node.op.endswith("PerChannel")
    if len(given.node.input) > 1:
        ends = [given.input(index, whole=not per_channel) for index in (1, 2)]
    else:
        ends = [np.array(given.attribute(name).f, np.float32) for name in ("min", "max")]
    bits, narrow = given.attribute("num_bits").i, given.attribute("narrow_range").b
    return nudged(*ends, bits=bits, narrow=narrow, axis=-1 if per_channel else None)


def _quantize_and_dequantize(given: _Arguments) -> Grid | CentredGrids:
    third = given.node.op.endswith("V3")
    per_channel = given.attribute("axis").i >= 0
    data = given.data()
    rank = None if not per_channel else given.rank() if data is None else data.ndim
    grids = CentredGrids(
        bits=int(given.input(3, whole=True)) if third else given.attribute("num_bits").i,
        signed=given.attribute("signed_input").b,
        narrow=given.attribute("narrow_range").b,
        half_up=not third and given.attribute("round_mode").s == b"HALF_UP",
        axis=None if rank is None else given.attribute("axis").i - rank,
        rank=rank,
    )
    if given.attribute("range_given").b:
        return grids.of(*(given.input(index, whole=not per_channel) for index in (1, 2)))
    if data is None:
        return grids
    if not grids.signed and data.min(initial=0) < 0:
        raise ValueError("its data are negative, and its integers are not")
    return grids.of(data.min(grids.others), data.max(grids.others))


_GRIDS: Mapping[str, Callable[[_Arguments], Grid | CentredGrids]] = {
    "FakeQuantWithMinMaxArgs": _fake_quantization,
    "FakeQuantWithMinMaxVars": _fake_quantization,
    "FakeQuantWithMinMaxVarsPerChannel": _fake_quantization,
    "QuantizeAndDequantizeV2": _quantize_and_dequantize,
    "QuantizeAndDequantizeV3": _quantize_and_dequantize,
    "QuantizeAndDequantizeV4": _quantize_and_dequantize,
}
