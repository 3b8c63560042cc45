"""If: two functions, of which TensorFlow runs one; where the condition is known, the branch itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.functions import Function, share
from onnxpress_backends.tensorflow.graphs.graph import Tensor
from onnxpress_backends.tensorflow.layout.layouts import Layout, Shape, common_shape, logical
from onnxpress_backends.tensorflow.layout.values import Laid, Value

_BRANCHES = ("then_branch", "else_branch")


def choose(call: Call) -> Sequence[Laid | Value]:
    """If."""
    condition = call.constant(0)
    if condition is not None:
        return _outputs(call, _BRANCHES[0 if condition.item() else 1])
    functions = [Function.within(call.graph, f"{call.title}_{name}") for name in _BRANCHES]
    then, otherwise = (_outputs(call, *pair) for pair in zip(_BRANCHES, functions, strict=True))
    layouts: list[Layout | None] = []
    shapes: list[Shape | None] = []
    for one, two in zip(then, otherwise, strict=True):
        layout, shape = _common_layout(one, two), common_shape([one.shape, two.shape])
        layouts.append(layout)
        shapes.append(shape if shape is None or layout is None else layout.arrange(shape))
    for function, values in zip(functions, (then, otherwise), strict=True):
        function.give([value.tensor(layout) for value, layout in zip(values, layouts, strict=True)])
    captured = share(*functions)
    node = call.emit_node(
        "StatelessIf",
        scalar(call, 0),
        captured,
        **dict(zip(_BRANCHES, functions, strict=True)),
        Tout=[value.dtype for value in then],
        output_shapes=shapes,
    )
    return [Laid(Tensor(node, index), layout) for index, layout in enumerate(layouts)]


def scalar(call: Call, index: int) -> Tensor:
    """An input of one element, as a scalar: TensorFlow takes a vector for true when it is not empty."""
    tensor = call.tensor(index)
    if call.value(index).shape == ():
        return tensor
    return call.emit("Reshape", tensor, call.const([], DType.INT32))


def _outputs(call: Call, branch: str, function: Function | None = None) -> list[Value]:
    """What a branch gives, written into a function or else where the If is."""
    source = call.attribute(branch)
    scope = call.scope.within(source, function or call.graph)
    scope.run()
    return [scope.value(output) for output in source.outputs]


def _common_layout(one: Value, two: Value) -> Layout | None:
    """The layout that both branches give an output in: one that is computed so, channels last before ONNX's order."""
    if one.shape is None or two.shape is None or one.rank != two.rank:
        return None
    layouts = [value.permuted.layout for value in (one, two) if value.constant is None]
    return next((layout for layout in layouts if layout is not None and not layout.is_logical), logical(one.rank))


RULES: Mapping[str, Rule] = {
    "If": choose,
}
