"""A graph as a function of TensorFlow that reads variables where the graph has constants."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

from onnxpress.errors import UnsupportedModel, reason
from onnxpress_backends.saved_model.parameters import Parameter, Place
from onnxpress_backends.tensorflow.graphs import graph_def
from onnxpress_backends.tensorflow.graphs.graph import Graph, Node, Tensor


@dataclass(frozen=True, kw_only=True)
class Function:
    """A ``tf.function`` and what goes in.

    Attributes:
        call: Takes the inputs in order, gives the outputs by name.
        concrete: What it is for these inputs, which its arguments are called after: a signature.
        inputs: A ``TensorSpec`` for each input.
    """

    call: Any
    concrete: Any
    inputs: tuple[Any, ...]


def function(tf: Any, graph: Graph, places: Mapping[Node, Place], variables: Mapping[Parameter, Any]) -> Function:
    """`graph` as a function.

    Args:
        tf: TensorFlow.
        graph: The graph; a run assigns its updates.
        places: The constants that variables stand in for.
        variables: The variables.

    Raises:
        UnsupportedModel: TensorFlow rejects the graph or the names of its inputs, or constants that are no initialisers
            pass 2 GB.
    """
    inputs = [node for node in graph.nodes if node.op == "Placeholder"]
    _check_names(node.name for node in inputs)
    nodes = [node for node in graph.nodes if node not in places and node.op != "Placeholder"]
    definition = _message(Graph(nodes=nodes, functions=graph.functions))
    wanted = [*graph.outputs.values(), *graph.updates.values()]

    def run(*arguments: Any) -> dict[str, Any]:
        values = dict(zip(inputs, arguments, strict=True))
        values |= {node: place.value(tf, variables[place.parameter]) for node, place in places.items()}
        results = _imported(tf, definition, values, wanted)
        for statistic, new in zip(graph.updates, results[len(graph.outputs) :], strict=True):
            variables[places[statistic.node].parameter].assign(new)
        return dict(zip(graph.outputs, results, strict=False))

    specs = tuple(tf.TensorSpec(node.attrs["shape"], int(node.attrs["dtype"]), name=node.name) for node in inputs)
    call = tf.function(run, autograph=False)
    try:
        concrete = call.get_concrete_function(*specs)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise UnsupportedModel(f"TensorFlow rejects the graph: {reason(error)[:300]}") from error
    return Function(call=call, concrete=concrete, inputs=specs)


def _check_names(names: Iterable[str]) -> None:
    """Signatures are arguments of Python, told apart by letters of one case and digits."""
    seen: dict[str, str] = {}
    for name in names:
        argument = re.sub(r"\W", "_", name)
        if iskeyword(argument) or argument == "self":
            why = f"have input {name!r}, a word of Python"
        elif argument.lower() in seen:
            why = f"tell input {name!r} from {seen[argument.lower()]!r}"
        else:
            seen[argument.lower()] = name
            continue
        raise UnsupportedModel(
            f"a signature of TensorFlow cannot {why}; rename it in the model, or write a frozen graph (.pb)"
        )


def _message(graph: Graph) -> Any:
    size = sum(node.weight.nbytes for node in graph.nodes if node.weight is not None)
    if size > graph_def.LARGEST:
        raise UnsupportedModel(
            f"constants that are no initialisers hold {size / 2**30:.1f} GB, and a graph of TensorFlow at most 2; "
            "make them initialisers of the main graph"
        )
    return graph_def.message(graph)


def _imported(tf: Any, definition: Any, values: Mapping[Node, Any], wanted: list[Tensor]) -> list[Any]:
    """The tensors `wanted` of the graph, whose nodes are imported into the graph that is being traced."""
    computed = [tensor for tensor in wanted if tensor.node not in values]
    used = {edge.partition(":")[0] for node in definition.node for edge in node.input}
    results = iter(
        tf.graph_util.import_graph_def(
            definition,
            input_map={node.name: value for node, value in values.items() if node.name in used},
            return_elements=[f"{tensor.node.name}:{tensor.index}" for tensor in computed],
            name="",
        )
    )
    return [values[tensor.node] if tensor.node in values else next(results) for tensor in wanted]
