"""What of a file a signature needs: operators, loops and branches they call, and the constants that stand outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.opening.graphs.detached_weights import LARGEST_CONSTANT
from onnxpress_frontends.tflite.contents import Contents, Graph, Operator, Tensor
from onnxpress_frontends.tflite.operators import CALLED, OPERATORS
from onnxpress_frontends.tflite.settling import settle_constants
from onnxpress_frontends.tflite.signatures import Chosen

_NO_NUMBERS = ("string", "resource", "variant", "bfloat16", "int2", "uint4")


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """Graphs with the operators that are needed and no others.

    Attributes:
        title: Name of the model.
        main: The graph to convert.
        called: The graphs of its loops and branches, by index in the file.
        held: Constants that are big or quantised, of all these graphs.
    """

    title: str
    main: Graph
    called: Mapping[int, Graph]
    held: tuple[Tensor, ...]


def plan(contents: Contents, chosen: Chosen) -> Plan:
    """What the outputs of the graph that was chosen need.

    Raises:
        InvalidModel: A loop or branch is a graph that the file does not have.
        UnsupportedModel: An operator or a type of a tensor has no ONNX form.
    """
    main = _settled(replace(chosen.graph, outputs=tuple(index for index, _ in chosen.outputs)))
    called: dict[int, Graph] = {}
    pending = list(_called(main))
    while pending:
        index = pending.pop(0)
        if index not in called:
            if not 0 <= index < len(contents.graphs):
                raise InvalidModel(f"{contents.title!r} is corrupt: it calls graph {index} of {len(contents.graphs)}")
            called[index] = _settled(contents.graphs[index])
            pending += _called(called[index])
    graphs = (main, *called.values())
    _refuse_foreign(contents.title, graphs)
    held = dict.fromkeys(tensor for graph in graphs for tensor in _used(graph) if _is_held(tensor))
    return Plan(title=contents.title, main=main, called=called, held=tuple(held))


def _settled(graph: Graph) -> Graph:
    graph = settle_constants(graph)
    wanted = set(graph.outputs)
    kept = []
    for operator in reversed(graph.operators):
        if not wanted.isdisjoint(operator.outputs):
            kept.append(operator)
            wanted.update(operator.inputs)
    return replace(graph, operators=tuple(reversed(kept)))


def _called(graph: Graph) -> Iterator[int]:
    for operator in graph.operators:
        yield from (getattr(operator.options, name, -1) for name in CALLED.get(operator.code, ()))


def _used(graph: Graph) -> Iterator[Tensor]:
    """The tensors that operators and outputs need."""
    operands = (index for operator in graph.operators for index in operator.inputs if index >= 0)
    yield from (graph.tensors[index] for index in (*operands, *graph.outputs))


def _is_held(tensor: Tensor) -> bool:
    return tensor.data is not None and (tensor.grid is not None or tensor.data.size > LARGEST_CONSTANT)


def _refuse_foreign(title: str, graphs: tuple[Graph, ...]) -> None:
    foreign: dict[str, list[str]] = {}
    for graph in graphs:
        for operator in graph.operators:
            if operator.code not in OPERATORS:
                foreign.setdefault(operator.code, []).append(_name(graph, operator))
    if foreign:
        found = ", ".join(f"{code} ({len(names)}, first {names[0]!r})" for code, names in sorted(foreign.items()))
        raise UnsupportedModel(
            f"{title!r} uses TFLite operators that have no ONNX form here: {found}; "
            "convert the model that the file was made of, or replace these layers by ordinary ones"
        )
    other = next((tensor for graph in graphs for tensor in _used(graph) if tensor.dtype in _NO_NUMBERS), None)
    if other is not None:
        raise UnsupportedModel(f"{title!r} cannot be converted: tensor {other.name!r} is of type {other.dtype}")


def _name(graph: Graph, operator: Operator) -> str:
    return graph.tensors[operator.outputs[0]].name
