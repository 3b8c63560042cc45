"""Write the repetition of every pixel as Resize, for which runtimes have kernels, and converters to phones operators.

    Reshape(Tile(Unsqueeze(x, a + 1), [..., r, ...]), [..., r * d, ...])    with r on axis a + 1, d on axis a

repeats every element of axis a r times.  That for all spatial axes, one after the other, is what Keras makes of
UpSampling2D and UpSampling3D; it is also

    Resize(x, scales = [1, r1, r2, 1], mode = nearest, coordinates = asymmetric, rounding = floor)

with the channels last, and [1, 1, r1, r2] with the channels first.  Repeating along some of the axes only is left
alone: that is no image, but the heads of an attention layer, say.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from onnxpress.constants import array, initializer, remove
from onnxpress.naming import Names, title
from onnxpress.records import Notes
from onnxpress.rewiring import replace_uses
from onnxpress_plugins.cleaning.shape_facts import ShapeFacts
from onnxpress_plugins.cleaning.shape_following import follow
from onnxpress_plugins.cleaning.symbolic_sizes import Size

_OPSET = 13
"""Before, Resize wants the region of interest given, whatever the mode."""


class ResizeNearest(ir.passes.InPlacePass):
    """Turns chains of Unsqueeze, Tile and Reshape into Resize."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """One sweep over the graph and its subgraphs."""
        if model.opset_imports.get("", 0) < _OPSET or all(node.op_type != "Tile" for node in model.graph.all_nodes()):
            return ir.passes.PassResult(model, False)
        names, facts = Names(model), follow(model)
        found = 0
        for graph in model.graphs():
            for node in graph:
                found += _resize(node, facts, names)
        self.notes.count("repetition of pixels turned into Resize", found)
        return ir.passes.PassResult(model, bool(found))


def _resize(last: ir.Node, facts: ShapeFacts, names: Names) -> bool:
    output = last.outputs[0]
    scales, source = dict[int, int](), output
    while (found := _repetition(source.producer(), facts)) is not None and (source is output or _has_one_user(source)):
        source, axis, times = found
        scales[axis] = scales.get(axis, 1) * times
    rank = len(source.shape or ())
    spatial = (set(range(1, rank - 1)), set(range(2, rank)))
    if rank < 4 or scales.keys() not in spatial or output.dtype != ir.DataType.FLOAT:
        return False
    assert last.graph is not None
    factors = np.array([scales.get(axis, 1) for axis in range(rank)], np.float32)
    attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    inputs = [source, None, initializer(last.graph, names.fresh(f"{title(last)}_scales"), factors)]
    resize = ir.node("Resize", inputs, attributes, name=names.fresh(f"{title(last)}_resize"))
    result, name = resize.outputs[0], output.name
    result.type, result.shape = output.type, output.shape
    last.graph.insert_before(last, resize)
    replace_uses(output, result)
    remove([last])  # the others too are without users now, or once what asks for their shapes has gone
    result.name = name
    result.meta.update(output.meta)
    return True


def _repetition(reshape: ir.Node | None, facts: ShapeFacts) -> tuple[ir.Value, int, int] | None:
    """What `reshape`, with Tile and Unsqueeze before it, repeats each element of, along which axis, and how often."""
    tile = _maker(reshape, "Reshape", "Tile")
    unsqueeze = _maker(tile, "Tile", "Unsqueeze")
    if reshape is None or tile is None or unsqueeze is None or unsqueeze.inputs[0] is None:
        return None
    axes, repeats = array(unsqueeze.inputs[1]), array(tile.inputs[1])
    before, after = facts.shape(unsqueeze.inputs[0]), facts.shape(reshape.outputs[0])
    if axes is None or axes.size != 1 or repeats is None or before is None or after is None:
        return None
    axis = int(axes.item()) % repeats.size
    times = int(repeats[axis])
    if axis == 0 or times < 1 or np.prod(repeats) != times:
        return None
    if after != [size * Size(times) if place == axis - 1 else size for place, size in enumerate(before)]:
        return None
    return unsqueeze.inputs[0], axis - 1, times


def _maker(node: ir.Node | None, op_type: str, wanted: str) -> ir.Node | None:
    """What makes the data of `node`, if that is an `op_type` and this a `wanted` that nothing else uses."""
    if node is None or node.op_type != op_type or node.domain != "" or node.inputs[0] is None:
        return None
    maker = node.inputs[0].producer()
    if maker is None or maker.op_type != wanted or maker.domain != "" or maker.graph is not node.graph:
        return None
    return maker if _has_one_user(node.inputs[0]) else None


def _has_one_user(value: ir.Value) -> bool:
    """Whether one node uses `value`, apart from those that ask for its shape."""
    users = [use.node for use in value.uses() if use.node.op_type != "Shape"]
    return len(users) == 1 and not value.is_graph_output()
