"""A TFLite graph becomes a TensorFlow function, from where it is converted as any other.

Every operator is called by its counterpart in TensorFlow, in the order of the file.  What is quantised is computed in
float32 and put onto its grid where it is made: a *carrier* (`mapping.quantization_carriers`) with the very scale and
zero point of the file.  So an operator sees exactly the numbers that the integers stand for, and its result is rounded
once, as the kernels of integers do it.

Constants that are big or quantised are arguments of the function; stored integers go through a Dequantize with their
grid, and stay the integers of the file (`mapping.dequantize_decoding`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidModel, OnnxpressError
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.mapping import grid_attributes
from onnxpress_frontends.opening.named_function import Endpoint, NamedFunction, arguments
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet
from onnxpress_frontends.tflite.contents import Contents, Graph, Operator, Tensor
from onnxpress_frontends.tflite.operators import OPERATORS
from onnxpress_frontends.tflite.operators.calling import Call, computed_dtype
from onnxpress_frontends.tflite.planning import Plan, plan
from onnxpress_frontends.tflite.signatures import Chosen, tidied

if TYPE_CHECKING:
    from onnxpress_frontends.mapping.quantization_grids import Grid

_UNSPEAKABLE = re.compile(r"[^\w.\\/>-]")
"""What names in a TensorFlow graph cannot hold."""


def trace(contents: Contents, chosen: Chosen) -> NamedFunction:
    """The function of the graph that was chosen; inputs and outputs are float32 where the file has integers for them.

    Raises:
        InvalidModel: The graph does not fit together.
        UnsupportedModel: It has operators or types that have no ONNX form.
    """
    tf = import_tensorflow()
    needed = plan(contents, chosen)
    inputs = [needed.main.tensors[index] for index in needed.main.inputs]
    specifications = [
        *(tf.TensorSpec(each.shape, computed_dtype(each), _scope(each)) for each in inputs),
        *(tf.TensorSpec(each.shape, _stored_type(each)) for each in needed.held),
    ]
    try:
        with quiet(), tf.device("/cpu:0"):
            function = tf.function(_Tracer(needed).run, autograph=False).get_concrete_function(*specifications)
    except OnnxpressError:
        raise
    except Exception as error:  # TensorFlow raises anything over shapes and options that do not fit
        raise InvalidModel(f"{contents.title!r} does not fit together: {first_line(error)}") from error
    given = arguments(function)
    arrays = [each.data.view(_stored_type(each).as_numpy_dtype) for each in needed.held if each.data is not None]
    return NamedFunction(
        title=contents.title,
        function=function,
        inputs=tuple(Endpoint(name, tensor) for (_, name), tensor in zip(chosen.inputs, given, strict=False)),
        outputs=tuple(Endpoint(name, out) for (_, name), out in zip(chosen.outputs, function.outputs, strict=True)),
        owner=None,
        weights={tensor.name: array for tensor, array in zip(given[len(inputs) :], arrays, strict=True)},
    )


class _Tracer:
    """Calls the operators of a plan, in TensorFlow's graph of the moment."""

    def __init__(self, needed: Plan) -> None:
        self._plan = needed
        self._held: dict[Tensor, Any] = {}

    def run(self, *given: Any) -> list[Any]:
        """The outputs for tensors that stand for the inputs, and after them for the constants that are held."""
        tf = import_tensorflow()
        count = len(self._plan.main.inputs)
        for tensor, value in zip(self._plan.held, given[count:], strict=True):
            with tf.name_scope(_scope(tensor)):
                self._held[tensor] = value if tensor.grid is None else _dequantized(value, tensor.grid)
        return [tf.identity(value) for value in self._outputs(self._plan.main, given[:count])]

    def _outputs(self, graph: Graph, given: Sequence[Any]) -> list[Any]:
        values = dict(zip(graph.inputs, given, strict=True))
        for operator in graph.operators:
            with import_tensorflow().name_scope(_scope(graph.tensors[operator.outputs[0]])):
                results = self._results(graph, operator, values)
            values.update(zip(operator.outputs, results, strict=True))
        return [self._value(graph, index, values) for index in graph.outputs]

    def _value(self, graph: Graph, index: int, values: dict[int, Any]) -> Any:
        tensor = graph.tensors[index]
        if index in values:
            return values[index]
        if tensor.data is None:
            raise InvalidModel(f"{self._plan.title!r} is corrupt: {tensor.name!r} is used before it is computed")
        return self._held.get(tensor, tensor.data)

    def _results(self, graph: Graph, operator: Operator, values: dict[int, Any]) -> list[Any]:
        call = Call(
            operator=operator,
            operands=[None if index < 0 else self._value(graph, index, values) for index in operator.inputs],
            inputs=[None if index < 0 else graph.tensors[index] for index in operator.inputs],
            outputs=[graph.tensors[index] for index in operator.outputs],
            graph=self._graph,
        )
        try:
            found = OPERATORS[operator.code](call)
            results = list(found) if isinstance(found, (list, tuple)) else [found]
            return [self._settled(tensor, result) for tensor, result in zip(call.outputs, results, strict=True)]
        except OnnxpressError:
            raise
        except Exception as error:  # TensorFlow raises anything; so does a list of operands that is too short
            name = f"{operator.code} {call.outputs[0].name!r}"
            raise InvalidModel(f"{self._plan.title!r} is corrupt: {name}: {first_line(error)}") from error

    def _graph(self, index: int) -> Callable[..., list[Any]]:
        """A loop or a branch, to be called."""
        return lambda *given: self._outputs(self._plan.called[index], given)

    def _settled(self, tensor: Tensor, result: Any) -> Any:
        """A result on its grid, once it is what the file says it is."""
        value = import_tensorflow().convert_to_tensor(result)
        if value.dtype.name != computed_dtype(tensor):
            raise ValueError(f"it gives {value.dtype.name}, and {tensor.dtype} in the file")
        return value if tensor.grid is None else _on_grid(value, tensor.grid)


def _stored_type(tensor: Tensor) -> Any:
    return import_tensorflow().as_dtype(tensor.dtype if tensor.grid is None else f"q{tensor.dtype}")


def _dequantized(integers: Any, grid: Grid) -> Any:
    """Stored integers as numbers; the range is not looked at where there is a grid."""
    value = import_tensorflow().raw_ops.Dequantize(
        input=integers, min_range=0.0, max_range=1.0, mode="SCALED", name="grid"
    )
    return _carrying(value, grid)


def _on_grid(value: Any, grid: Grid) -> Any:
    return _carrying(import_tensorflow().raw_ops.FakeQuantWithMinMaxArgs(inputs=value, name="grid"), grid)


def _carrying(value: Any, grid: Grid) -> Any:
    """Put a grid into the attributes of the operation that gives `value`."""
    from tensorflow.core.framework.node_def_pb2 import NodeDef

    node = NodeDef()
    grid_attributes.write(node, grid)
    for name, attribute in node.attr.items():
        value.op._set_attr(name, attribute)
    return value


def _scope(tensor: Tensor) -> str:
    return _UNSPEAKABLE.sub("_", tidied(tensor)).lstrip("_/\\>-") or "value"
