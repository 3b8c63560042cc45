"""What every source of TensorFlow 1 has in common, from a graph to a function.

Its big constants step aside; its ends are found or checked; what the outputs do not need is dropped, training with it;
it is set to infer; its variables get their values; and what is left is cut out as a function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from onnxpress.errors import InvalidOption
from onnxpress_frontends.opening.graphs.batch_norm_settling import settle_batch_norms
from onnxpress_frontends.opening.graphs.call_narrowing import narrow_calls
from onnxpress_frontends.opening.graphs.cutting import cut
from onnxpress_frontends.opening.graphs.detached_weights import detach_constants
from onnxpress_frontends.opening.graphs.feeding import feed
from onnxpress_frontends.opening.graphs.function_library import name_functions_apart
from onnxpress_frontends.opening.graphs.graph_inputs import find_inputs, take_defaults
from onnxpress_frontends.opening.graphs.graph_outputs import find_output
from onnxpress_frontends.opening.graphs.graph_soundness import refuse_unsound
from onnxpress_frontends.opening.graphs.inference_mode import set_to_infer
from onnxpress_frontends.opening.graphs.input_shapes import settle_shapes
from onnxpress_frontends.opening.graphs.names import find_tensor, tensor_name
from onnxpress_frontends.opening.graphs.variable_changes import refuse_changes
from onnxpress_frontends.opening.graphs.variable_values import Values, give_values
from onnxpress_frontends.opening.named_function import NamedFunction
from onnxpress_frontends.reachability import keep_reachable, source_of


def open_graph(
    graph: Any,
    *,
    title: str,
    source: str,
    inputs: Sequence[str] | Mapping[str, str] | None,
    outputs: Sequence[str] | Mapping[str, str] | None,
    values: Values,
    keep_switches: bool = True,
) -> NamedFunction:
    """The function between the ends of a `GraphDef`.

    Args:
        graph: The graph; it is changed.
        title: Name of the model.
        source: What messages call it.
        inputs: Tensors, or the user's names for tensors; None: what the outputs need from outside.
        outputs: Tensors, or the user's names for tensors; None: the only one there is.
        values: Where the values of variables are.
        keep_switches: Whether an input that switches between training and inference stays one.

    Raises:
        InvalidModel: The graph is corrupt, or a variable lacks its value.
        InvalidOption: A name is not in the graph, or inputs or outputs must be chosen; candidates are listed.
        UnsupportedModel: The graph would run code, or uses operators or variables in a way that is not supported.
    """
    refuse_unsound(graph, source)
    graph, weights = detach_constants(graph, source)
    _forget_places(graph)
    name_functions_apart(graph)
    fetches = _named(outputs or [find_output(graph, source)], graph, source)
    feeds, fetches = _stand_in(graph, _named(inputs or (), graph, source), fetches, source)
    set_to_infer(graph, list(fetches.values()), list(feeds.values()) if keep_switches else [])
    settle_batch_norms(graph, fetches.values(), source)
    _refuse_untaken(graph, fetches, source)
    if inputs:
        feeds = _unsettled(graph, feeds)
    else:
        found = find_inputs(graph, fetches.values(), source)
        feeds, fetches = _stand_in(graph, _named(found, graph, source), fetches, source)
    take_defaults(graph, list(feeds.values()))
    refuse_changes(graph, fetches.values(), source)
    keep_reachable(graph.node, [*fetches.values(), *feeds.values()])
    placeholders = {name: source_of(tensor) for name, tensor in feeds.items()}
    _refuse_unfed(graph, placeholders, source)
    fetches = _narrow(graph, feeds, fetches)
    restored, variables = give_values(graph, values)
    settle_shapes(graph, placeholders.values())
    held = {**weights, **restored}
    return cut(graph, placeholders, fetches, weights=held, variables=variables, title=title, source=source)


def _narrow(graph: Any, feeds: Mapping[str, str], fetches: Mapping[str, str]) -> dict[str, str]:
    renamed = narrow_calls(graph, [*fetches.values(), *feeds.values()])
    return {name: renamed.get(tensor, tensor) for name, tensor in fetches.items()}


def _forget_places(graph: Any) -> None:
    """Which device a node was on, and beside which node, means nothing here; its shapes are inferred anew."""
    for node in (*graph.node, *(node for function in graph.library.function for node in function.node_def)):
        node.device = ""
        for name in ("_class", "_output_shapes"):
            node.attr.pop(name, None)


def _named(ends: Sequence[str] | Mapping[str, str], graph: Any, source: str) -> dict[str, str]:
    nodes = {node.name: node for node in graph.node}
    pairs = ends.items() if isinstance(ends, Mapping) else ((name.removesuffix(":0"), name) for name in ends)
    return {name: find_tensor(tensor, nodes, source) for name, tensor in pairs}


def _unsettled(graph: Any, feeds: Mapping[str, str]) -> dict[str, str]:
    """The inputs that are not switches which have been thrown."""
    settled = {node.name for node in graph.node if node.op == "Const"}
    return {name: tensor for name, tensor in feeds.items() if source_of(tensor) not in settled}


def _stand_in(
    graph: Any, feeds: dict[str, str], fetches: dict[str, str], source: str
) -> tuple[dict[str, str], dict[str, str]]:
    standing = {tensor: tensor_name(name) for tensor, name in feed(graph, list(feeds.values()), source).items()}
    fed = {name: standing[tensor] for name, tensor in feeds.items()}
    return fed, {name: standing.get(tensor, tensor) for name, tensor in fetches.items()}


def _refuse_untaken(graph: Any, fetches: Mapping[str, str], source: str) -> None:
    left = {node.name for node in graph.node}
    lost = [name for name, tensor in fetches.items() if source_of(tensor) not in left]
    if lost:
        raise InvalidOption(
            f"{source}: output {lost[0]!r} is computed in training only; name one that inference computes, "
            "or name the switch between the two with option 'inputs'"
        )


def _refuse_unfed(graph: Any, inputs: Mapping[str, str], source: str) -> None:
    fed = set(inputs.values())
    unfed = [node.name for node in graph.node if node.op.startswith("Placeholder") and node.name not in fed]
    if unfed:
        raise InvalidOption(
            f"{source}: the outputs also need placeholder {unfed[0]!r}; name all inputs with option 'inputs'"
        )
