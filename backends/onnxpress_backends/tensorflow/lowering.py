"""An ONNX graph written with TensorFlow's operators: one rule per ONNX operator, in topological order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import onnx_ir as ir

from onnxpress.errors import UnsupportedModel
from onnxpress_backends.tensorflow.call import Call, Result, Rule, shape_of
from onnxpress_backends.tensorflow.graphs.dtypes import of_onnx
from onnxpress_backends.tensorflow.graphs.graph import Graph, Tensor, legal_name
from onnxpress_backends.tensorflow.layout.capturing import captured
from onnxpress_backends.tensorflow.layout.constants import Constant
from onnxpress_backends.tensorflow.layout.layouts import Layout, channels_last, logical
from onnxpress_backends.tensorflow.layout.values import Laid, Value
from onnxpress_backends.tensorflow.quantization.simulation import Mode
from onnxpress_backends.tensorflow.shapes.constant_folding import folded
from onnxpress_backends.tensorflow.shapes.demanded_ranks import settle_ranks
from onnxpress_backends.tensorflow.shapes.shape_refining import refine


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What holds for the whole model.

    Attributes:
        mode: What becomes of QuantizeLinear and DequantizeLinear.
        nhwc: Images of rank 4 and 5 enter and leave with their channels last.
        training: BatchNormalization uses the moments of the batch.
        rules: The rule of each operator, by name; ``domain::name`` outside the default domain.
        opsets: Version of each domain.
    """

    mode: Mode = "fake-quant"
    nhwc: bool = False
    training: bool = False
    rules: Mapping[str, Rule]
    opsets: Mapping[str, int]


@dataclass(eq=False, kw_only=True)
class Scope:
    """One ONNX graph, the main one or a branch or body, and what its values have become.

    Attributes:
        source: The ONNX graph.
        graph: The TensorFlow graph that is written.
        settings: What holds for the whole model.
        outer: The scope around; None for the main graph.
        values: What the ONNX values have become.
    """

    source: ir.Graph
    graph: Graph
    settings: Settings
    outer: Scope | None = None
    values: dict[ir.Value, Value] = field(default_factory=dict)

    def opset(self, domain: str) -> int:
        """Version of a domain."""
        return self.settings.opsets.get(domain, self.settings.opsets.get("", 1))

    def value(self, value: ir.Value) -> Value:
        """What an ONNX value has become, of this graph or one around it.

        Raises:
            UnsupportedModel: Nothing: it is not defined before it is used.
        """
        if value not in self.values:
            self.values[value] = self._fetch(value)
        return self.values[value]

    def _fetch(self, value: ir.Value) -> Value:
        if value.const_value is not None and (value.is_initializer() or value.producer() is not None):
            here = self.known(value, value.const_value)
            return here if self.outer is None or value.graph is self.source else _brought(here, self.outer.value(value))
        if self.outer is None:
            raise UnsupportedModel(f"{value.name!r} is used but never defined; run onnx.checker on the model")
        outer = self.outer.value(value)
        if outer.graph is self.graph:
            return outer
        inner = Value(graph=self.graph, name=outer.name, dtype=outer.dtype, shape=outer.shape)
        if outer.constant is not None:
            inner.constant, inner.simulate = outer.constant, outer.simulate
            return inner
        return captured(outer, self.graph)

    def within(self, source: ir.Graph, graph: Graph) -> Scope:
        """The scope of a branch or body, which is written into `graph`."""
        return Scope(source=source, graph=graph, settings=self.settings, outer=self)

    def known(self, value: ir.Value, data: ir.TensorProtocol) -> Value:
        """A value whose data are known."""
        name = value.name or "constant"
        dtype = of_onnx(data.dtype, f"constant {name!r}")
        shape = tuple(int(size) for size in data.shape.numpy())
        constant = Constant(name=name, source=data, shape=shape, dtype=dtype)
        return Value(graph=self.graph, name=name, dtype=dtype, shape=shape, constant=constant)

    def define(self, value: ir.Value, laid: Laid) -> Value:
        """Say what an ONNX value has become."""
        shape = shape_of(value)
        if shape is None and laid.layout is not None:
            shape = (None,) * laid.layout.rank
        layout = laid.layout or (None if shape is None else logical(len(shape)))
        became = Value(graph=self.graph, name=value.name or "", dtype=laid.tensor.dtype, shape=shape)
        became.forms[layout] = laid.tensor
        self.values[value] = became
        return became

    def run(self) -> None:
        """Lower every node of the graph, in order.

        Raises:
            UnsupportedModel: A node has no rule, or its rule refuses it; the message names it.
        """
        for node in self.source:
            self._lower(node)

    def _lower(self, node: ir.Node) -> None:
        call = Call(node, self)
        known = folded(call)
        if known is not None:
            for output, array in zip(node.outputs, known, strict=True):
                self.values[output] = self.known(output, ir.tensor(array))
            return
        rule = self.settings.rules.get(call.op_type)
        if rule is None:
            call.refuse("it has no rule for TensorFlow and no definition by other operators")
        try:
            settle_ranks(call)
            refine(call)
            results = _listed(rule(call))
        except ArithmeticError as error:
            call.refuse(f"its numbers are out of range ({error})")
        for output, result in zip(node.outputs, results, strict=False):
            if isinstance(result, Value):
                self.values[output] = result
            elif result is not None and (output.name or output.uses()):
                laid = result if isinstance(result, Laid) else Laid(result, None)
                self._title(call, output, laid.tensor)
                self.define(output, laid)

    def _title(self, call: Call, output: ir.Value, tensor: Tensor) -> None:
        """The node that gives an output is called like it."""
        if tensor.node in call.made and tensor.index == 0 and len(tensor.node.dtypes) == 1 and output.name:
            tensor.node.name = self.graph.unique(output.name)


def lower(model: ir.Model, settings: Settings) -> Graph:
    """The main graph of `model` as a TensorFlow graph.

    Args:
        model: Functions inlined, types and shapes inferred.
        settings: How.

    Raises:
        UnsupportedModel: A node cannot go to TensorFlow.
    """
    if not model.graph.outputs:
        raise UnsupportedModel("the model has no outputs; name what it gives as outputs of the graph")
    graph = Graph()
    scope = Scope(source=model.graph, graph=graph, settings=settings)
    inputs = [value for value in model.graph.inputs if not value.is_initializer()]
    names = _names([*inputs, *model.graph.outputs])
    graph.reserve(list(names.values()))
    for value in inputs:
        _declare(scope, value, names[value])
    scope.run()
    results: dict[str, Tensor] = {}
    for value in model.graph.outputs:
        became = scope.value(value)
        results[names[value]] = became.tensor(_outside(became.shape, settings))
    graph.finish(results)
    return graph


def _names(values: Sequence[ir.Value]) -> dict[ir.Value, str]:
    """The names of inputs and outputs, legal and different; what is legal already stays as it is."""
    given = {value: value.name or "" for value in values}
    names = {value: name for value, name in given.items() if legal_name(name) == name}
    taken = set(names.values())
    for value, name in given.items():
        if value not in names:
            legal = legal_name(name)
            names[value] = next(free for free in _numbered(legal) if free not in taken)
            taken.add(names[value])
    return names


def _numbered(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}_{number}" for number in count(1))


def _declare(scope: Scope, value: ir.Value, name: str) -> None:
    if isinstance(value.type, (ir.SequenceType, ir.OptionalType)):
        raise UnsupportedModel(f"input {value.name!r} is a sequence or optional; TensorFlow's graphs take tensors")
    shape = shape_of(value)
    dtype = of_onnx(value.dtype, f"input {value.name!r}")
    layout = _outside(shape, scope.settings)
    dims = shape if shape is None or layout is None else layout.arrange(shape)
    node = scope.graph.add("Placeholder", dtype=dtype, shape=dims)
    node.name = name
    scope.define(value, Laid(Tensor(node), layout))


def _brought(here: Value, outer: Value) -> Value:
    """A constant of the graph around; a weight stays there, where it can be trained, and is captured."""
    if outer.graph is here.graph:
        return outer
    if outer.constant is None or not outer.dtype.is_float or not outer.shape:
        return here
    inner = captured(outer, here.graph)
    inner.constant = outer.constant
    return inner


def _outside(shape: Sequence[int | None] | None, settings: Settings) -> Layout | None:
    """The layout of an input or output."""
    if shape is None:
        return None
    images = settings.nhwc and len(shape) in (4, 5)
    return channels_last(len(shape)) if images else logical(len(shape))


def _listed(result: Result) -> Iterable[Tensor | Laid | Value | None]:
    if isinstance(result, (Tensor, Laid, Value)) or result is None:
        return [result]
    return result
