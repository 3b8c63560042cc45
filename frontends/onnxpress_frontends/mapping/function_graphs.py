"""tf2onnx's mapping of a graph and of the functions that its loops and branches call, callees first.

tf2onnx orders the functions by a set of their names, which varies from one process to the next, and lets the body of a
loop see the shapes that the loop starts with, which a step may change.  Here the order is that of the calls, and an
argument has the shape that it has at every call and, in a loop, after every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_CALLED = ("body", "cond", "then_branch", "else_branch", "f")


def map_graph(
    graph: Any, *, inputs: Sequence[str], outputs: Sequence[str], opset: int, handlers: Mapping[str, Any]
) -> Any:
    """The tf2onnx graph of a `tf.Graph`; operators without a handler are left as they are, a handler's error is raised.

    Args:
        graph: The graph, the default one.
        inputs: Tensors to feed.
        outputs: Tensors to fetch.
        opset: Of the operators to write.
        handlers: Operators that tf2onnx has no handler for, as it takes them.
    """
    from tf2onnx import tf_loader, tfonnx
    from tf2onnx.shape_inference import infer_shape

    tf_loader.clear_functions()
    subgraphs = [_parsed(function, function.name, function.inputs, function.outputs) for function in _functions(graph)]
    graph = infer_shape(graph, {})
    main = _parsed(graph, None, inputs, outputs)
    for parsed in (main, *subgraphs):
        parsed.set_config(None, opset, None)
    return tfonnx.process_graphs(main, subgraphs, dict(handlers), [], [], False, None, None, None)


def _parsed(graph: Any, name: str | None, inputs: Sequence[Any], outputs: Sequence[Any]) -> Any:
    """A graph or function in tf2onnx's form, its operators still TensorFlow's; ends are tensors or their names."""
    from tf2onnx.graph import Graph
    from tf2onnx.tf_utils import compute_const_folding_using_tf, tensorflow_to_onnx
    from tf2onnx.tfonnx import fold_constants_using_tf

    first, last = ([end if isinstance(end, str) else end.name for end in ends] for ends in (inputs, outputs))
    folded, _ = compute_const_folding_using_tf(graph, None, last)
    nodes, _, _, shapes, dtypes, _ = tensorflow_to_onnx(graph, {}, None, None, None)
    parsed = Graph(
        nodes, shapes, dtypes, input_names=first, output_names=last, is_subgraph=name is not None, graph_name=name
    )
    fold_constants_using_tf(parsed, folded)
    return parsed


def _functions(graph: Any) -> list[Any]:
    """A `FuncGraph` of every function that is called, callees before callers."""
    shapes: dict[str, list[Any]] = {}
    made: dict[str, Any] = {}
    pending = [graph]
    while pending:
        for name, arguments in _calls(pending.pop(0), graph):
            merged = _merged(arguments, shapes.get(name, arguments))
            if name not in made or merged != shapes[name]:
                shapes[name], made[name] = merged, _function(graph, name, merged)
                pending.append(made[name])
    order: dict[str, Any] = {}

    def visit(caller: Any) -> None:
        for name, _ in _calls(caller, graph):
            if name not in order:
                visit(made[name])
                order[name] = made[name]

    visit(graph)
    return list(order.values())


def _calls(caller: Any, graph: Any) -> Iterator[tuple[str, list[Any]]]:
    """The functions that the operators of a graph call, with the shapes of the arguments."""
    for operator in caller.get_operations():
        for key in _CALLED:
            if key not in operator.node_def.attr:
                continue
            name = operator.node_def.attr[key].func.name
            is_loop = operator.type in ("While", "StatelessWhile")
            first = 1 if operator.type in ("If", "StatelessIf") else 0
            arguments = [tensor.shape for tensor in operator.inputs[first:]]
            if is_loop:
                body = graph._functions[operator.node_def.attr["body"].func.name].definition
                arguments = [
                    shape if _is_kept(body, index) else operator.outputs[index].shape
                    for index, shape in enumerate(arguments)
                ]
            yield name, arguments


def _is_kept(body: Any, index: int) -> bool:
    """Whether a step of a loop hands variable `index` on as it is."""
    signature = body.signature
    return bool(body.ret[signature.output_arg[index].name] == signature.input_arg[index].name)


def _merged(one: list[Any], other: list[Any]) -> list[Any]:
    return [a.most_specific_compatible_shape(b) for a, b in zip(one, other, strict=True)]


def _function(graph: Any, name: str, shapes: list[Any]) -> Any:
    from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

    definition = graph._functions[name].definition
    for attributes in definition.arg_attr.values():
        attributes.attr.pop("_output_shapes", None)
    return function_def_to_graph(definition, input_shapes=shapes)
