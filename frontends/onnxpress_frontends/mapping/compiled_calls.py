"""Calls of functions, made such that grappler dissolves them.

Keras wraps a grouped convolution into ``tf.function(jit_compile=True)``.  Grappler leaves such calls alone, and tf2onnx
copies them into the ONNX graph.  What ties a call to XLA are attributes of the call and of its function; without them
grappler inlines it as any other, and a grouped Conv2D is left.  Likewise the calls of Keras 2's LSTM and GRU, which are
tied to another implementation of theirs, cuDNN's.  A call that took variables is stateless without them.

A function with effects (it draws random numbers, or uses a lookup table) is inlined only if somebody waits for them:
they become control outputs of the function, and whoever takes the results of the call gets a control edge.
"""

from __future__ import annotations

from typing import Any

from onnxpress_frontends.reachability import called, source_of

_CALLS = frozenset(("PartitionedCall", "StatefulPartitionedCall"))

_RESOURCE = 20
"""Value of TensorFlow's ``DataType``."""

_TIES = (
    "_XlaMustCompile",
    "_noinline",
    "_has_manual_control_dependencies",
    "_read_only_resource_inputs",
    "_collective_manager_ids",
    "api_implements",
    "api_preferred_device",
)


def release_calls(graph: Any) -> None:
    """Make every call in a frozen `GraphDef` an ordinary one, in place."""
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    calls = [node for node in nodes if node.op in _CALLS]
    for node in calls:
        node.op = "PartitionedCall"
    for owner in (*calls, *graph.library.function):
        for tie in _TIES:
            owner.attr.pop(tie, None)
    _show_effects(graph)


def _show_effects(graph: Any) -> None:
    """Give every function control outputs for its effects, and every call that has some a control edge to its users."""
    functions = set[str]()

    def has_effects(node: Any) -> bool:
        return not functions.isdisjoint(called(node)) or (node.op not in _CALLS and _has_effects(node.op))

    while more := {
        function.signature.name
        for function in graph.library.function
        if function.signature.name not in functions and any(map(has_effects, function.node_def))
    }:
        functions |= more
    for function in graph.library.function:
        effects = [node.name for node in function.node_def if has_effects(node)]
        function.signature.control_output[:] = effects
        function.control_ret.clear()
        function.control_ret.update(zip(effects, effects, strict=True))
    for scope in (graph.node, *(function.node_def for function in graph.library.function)):
        calls = {node.name for node in scope if node.op in _CALLS and has_effects(node)}
        for node in scope if calls else ():
            awaited = dict.fromkeys(source_of(name) for name in node.input if source_of(name) in calls)
            node.input.extend(f"^{name}" for name in awaited)


def _has_effects(op: str) -> bool:
    """Whether grappler believes that an operator does more than compute; it thinks so of any use of a resource."""
    from tensorflow.python.framework import op_def_registry

    known = op_def_registry.get(op)
    return known is not None and (known.is_stateful or any(each.type == _RESOURCE for each in known.input_arg))
