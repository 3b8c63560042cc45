"""Calls of functions, made such that grappler dissolves them.

Keras wraps a grouped convolution into ``tf.function(jit_compile=True)``.  Grappler leaves such calls alone, and tf2onnx
copies them into the ONNX graph.  What ties a call to XLA are attributes of the call and of its function; without them
grappler inlines it as any other, and a grouped Conv2D is left.  A call that took variables is stateless without them.
"""

from __future__ import annotations

from typing import Any

_TIES = (
    "_XlaMustCompile",
    "_noinline",
    "_has_manual_control_dependencies",
    "_read_only_resource_inputs",
    "_collective_manager_ids",
)


def release_calls(graph: Any) -> None:
    """Make every call in a frozen `GraphDef` an ordinary one, in place."""
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    calls = [node for node in nodes if node.op in ("PartitionedCall", "StatefulPartitionedCall")]
    for node in calls:
        node.op = "PartitionedCall"
    for owner in (*calls, *graph.library.function):
        for tie in _TIES:
            owner.attr.pop(tie, None)
