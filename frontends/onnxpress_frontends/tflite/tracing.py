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
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidModel, OnnxpressError, UnsupportedModel
from onnxpress_frontends.foreign_errors import first_line
from onnxpress_frontends.mapping import grid_attributes
from onnxpress_frontends.opening.graphs.detached_weights import LARGEST_CONSTANT
from onnxpress_frontends.opening.named_function import Endpoint, NamedFunction, arguments
from onnxpress_frontends.tensorflow_import import import_tensorflow, quiet
from onnxpress_frontends.tflite.contents import Contents, Graph, Operator, Tensor
from onnxpress_frontends.tflite.operators import OPERATORS
from onnxpress_frontends.tflite.operators.calling import Call, computed_dtype
from onnxpress_frontends.tflite.settling import settle_constants
from onnxpress_frontends.tflite.signatures import Chosen, tidied

if TYPE_CHECKING:
    from onnxpress.kinds import Array
    from onnxpress_frontends.mapping.quantization_grids import Grid

_NO_NUMBERS = ("string", "resource", "variant", "bfloat16", "int2", "uint4")
_UNSPEAKABLE = re.compile(r"[^\w.\\/>-]|^[^A-Za-z0-9.]+")
"""What names in a TensorFlow graph cannot hold."""


def trace(contents: Contents, chosen: Chosen) -> NamedFunction:
    """The function of the graph that was chosen; inputs and outputs are float32 where the file has integers for them.

    Raises:
        InvalidModel: The graph does not fit together.
        UnsupportedModel: It has operators or types that have no ONNX form.
    """
    tf = import_tensorflow()
    tracer = _Tracer(contents.title, settle_constants(chosen.graph), chosen)
    tracer.refuse_foreign()
    try:
        with quiet(), tf.device("/cpu:0"):
            function = tf.function(tracer.run, autograph=False).get_concrete_function(*tracer.specifications())
    except OnnxpressError:
        raise
    except Exception as error:  # TensorFlow raises anything over shapes and options that do not fit
        raise InvalidModel(f"{contents.title!r} does not fit together: {first_line(error)}") from error
    given = arguments(function)
    inputs = zip(chosen.inputs, given, strict=False)
    return NamedFunction(
        title=contents.title,
        function=function,
        inputs=tuple(Endpoint(name, tensor) for (_, name), tensor in inputs),
        outputs=tuple(Endpoint(name, out) for (_, name), out in zip(chosen.outputs, function.outputs, strict=True)),
        owner=None,
        weights={
            tensor.name: array for tensor, array in zip(given[len(chosen.inputs) :], tracer.weights(), strict=True)
        },
    )


class _Tracer:
    def __init__(self, title: str, graph: Graph, chosen: Chosen) -> None:
        self._title = title
        self._graph = graph
        self._chosen = chosen
        self._operators = _needed(graph, chosen)
        used = dict.fromkeys(index for operator in self._operators for index in operator.inputs if index >= 0)
        used |= dict.fromkeys(index for index, _ in chosen.outputs)
        self._held = [index for index in used if _is_held(graph.tensors[index])]
        self._values: dict[int, Any] = {}

    def refuse_foreign(self) -> None:
        """Refuse operators that the table lacks, and tensors that are no numbers."""
        foreign: dict[str, list[str]] = {}
        tensors = self._graph.tensors
        for operator in self._operators:
            if operator.code not in OPERATORS:
                foreign.setdefault(operator.code, []).append(tensors[operator.outputs[0]].name)
        if foreign:
            found = ", ".join(f"{code} ({len(all)}, first {all[0]!r})" for code, all in sorted(foreign.items()))
            raise UnsupportedModel(
                f"{self._title!r} uses TFLite operators that have no ONNX form here: {found}; "
                "convert the model from what the file was made of, or replace these layers by ordinary ones"
            )
        ends = [tensors[index] for operator in self._operators for index in (*operator.inputs, *operator.outputs)]
        other = next((tensor for tensor in ends if tensor.dtype in _NO_NUMBERS), None)
        if other is not None:
            raise UnsupportedModel(f"{self._title!r} cannot be converted: {other.name!r} is of type {other.dtype}")

    def specifications(self) -> list[Any]:
        """What the function takes: the inputs, then the weights."""
        tf = import_tensorflow()
        inputs = [self._graph.tensors[index] for index, _ in self._chosen.inputs]
        return [
            *(tf.TensorSpec(each.shape, computed_dtype(each), _scope(each)) for each in inputs),
            *(tf.TensorSpec(array.shape, _stored_type(array, grid)) for array, grid in self._constants()),
        ]

    def weights(self) -> list[Array]:
        """The values of the weights; integers with a grid are of TensorFlow's quantised types."""
        return [array.view(_stored_type(array, grid).as_numpy_dtype) for array, grid in self._constants()]

    def run(self, *given: Any) -> list[Any]:
        """Call every operator."""
        tf = import_tensorflow()
        count = len(self._chosen.inputs)
        for (index, _), value in zip(self._chosen.inputs, given, strict=False):
            self._values[index] = value
        for index, value in zip(self._held, given[count:], strict=True):
            grid = self._graph.tensors[index].grid
            with tf.name_scope(_scope(self._graph.tensors[index])):
                self._values[index] = value if grid is None else _dequantized(value, grid)
        for operator in self._operators:
            with tf.name_scope(_scope(self._graph.tensors[operator.outputs[0]])):
                self._call(operator)
        return [tf.identity(self._value(index)) for index, _ in self._chosen.outputs]

    def _constants(self) -> list[tuple[Array, Grid | None]]:
        held = [self._graph.tensors[index] for index in self._held]
        return [(tensor.data, tensor.grid) for tensor in held if tensor.data is not None]

    def _call(self, operator: Operator) -> None:
        tensors = self._graph.tensors
        call = Call(
            operator=operator,
            operands=[None if index < 0 else self._value(index) for index in operator.inputs],
            inputs=[None if index < 0 else tensors[index] for index in operator.inputs],
            outputs=[tensors[index] for index in operator.outputs],
        )
        try:
            found = OPERATORS[operator.code](call)
        except OnnxpressError:
            raise
        except Exception as error:  # TensorFlow, or a list of operands that is too short
            name = call.outputs[0].name
            raise InvalidModel(
                f"{self._title!r} does not fit together: {operator.code} {name!r}: {first_line(error)}"
            ) from error
        results = [found] if len(operator.outputs) == 1 and not isinstance(found, (list, tuple)) else list(found)
        for index, tensor, result in zip(operator.outputs, call.outputs, results, strict=True):
            self._values[index] = self._settled(tensor, result)

    def _settled(self, tensor: Tensor, result: Any) -> Any:
        """A result on its grid, once it is what the file says it is."""
        value = import_tensorflow().convert_to_tensor(result)
        if value.dtype.name != computed_dtype(tensor):
            raise InvalidModel(
                f"{self._title!r} does not fit together: {tensor.name!r} is of type {value.dtype.name}, "
                f"and of type {tensor.dtype} in the file"
            )
        return value if tensor.grid is None else _on_grid(value, tensor.grid)

    def _value(self, index: int) -> Any:
        tensor = self._graph.tensors[index]
        if index in self._values:
            return self._values[index]
        if tensor.data is None:
            raise InvalidModel(f"{self._title!r} does not fit together: {tensor.name!r} is used before it is computed")
        return tensor.data


def _needed(graph: Graph, chosen: Chosen) -> list[Operator]:
    """The operators that the outputs depend on, in the order of the file."""
    wanted = {index for index, _ in chosen.outputs}
    kept = []
    for operator in reversed(graph.operators):
        if operator.outputs and not wanted.isdisjoint(operator.outputs):
            kept.append(operator)
            wanted.update(operator.inputs)
    return kept[::-1]


def _is_held(tensor: Tensor) -> bool:
    return tensor.data is not None and (tensor.grid is not None or tensor.data.size > LARGEST_CONSTANT)


def _stored_type(array: Array, grid: Grid | None) -> Any:
    tf = import_tensorflow()
    return tf.as_dtype(array.dtype if grid is None else f"q{array.dtype.name}")


def _dequantized(integers: Any, grid: Grid) -> Any:
    """Stored integers as numbers; the range is not looked at where there is a grid."""
    value = import_tensorflow().raw_ops.Dequantize(input=integers, min_range=0.0, max_range=1.0, mode="SCALED")
    return _carrying(value, grid)


def _on_grid(value: Any, grid: Grid) -> Any:
    return _carrying(import_tensorflow().raw_ops.FakeQuantWithMinMaxArgs(inputs=value), grid)


def _carrying(value: Any, grid: Grid) -> Any:
    """Put a grid into the attributes of the operation that gives `value`."""
    from tensorflow.core.framework.node_def_pb2 import NodeDef

    node = NodeDef()
    grid_attributes.write(node, grid)
    for name, attribute in node.attr.items():
        value.op._set_attr(name, attribute)
    return value


def _scope(tensor: Tensor) -> str:
    return _UNSPEAKABLE.sub("_", tidied(tensor)).lstrip("_") or "value"
