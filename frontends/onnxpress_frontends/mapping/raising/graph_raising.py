"""All control flow of TensorFlow 1 in a graph is raised, innermost first, or none.

What tf2onnx knows of TensorFlow 1's control flow are its TensorArrays; a graph with those is left to it, and so is one
with a loop or a branch that has not the form that TensorFlow gives them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from onnxpress_frontends.mapping.raising.branches import raise_branch
from onnxpress_frontends.mapping.raising.loops import raise_loop
from onnxpress_frontends.mapping.raising.regions import FRAMES, Unraisable
from onnxpress_frontends.mapping.raising.shapes import settle_shapes
from onnxpress_frontends.reachability import keep_reachable


def raise_control_flow(graph: Any, ends: Collection[str]) -> None:
    """Rewrite a frozen `GraphDef` in place.

    Args:
        graph: The graph.
        ends: Tensors that must stay.
    """
    ops = {node.op for node in graph.node}
    if ops.isdisjoint(FRAMES) or "TensorArrayV3" in ops:
        return
    raised = type(graph)()
    raised.CopyFrom(graph)
    frames = dict.fromkeys(node.attr["frame_name"].s for node in raised.node if node.op == "Enter")
    while _raise_inner_loop(raised, frames) or _raise_inner_branch(raised):
        keep_reachable(raised.node, ends)
    if FRAMES.isdisjoint(node.op for node in raised.node):
        settle_shapes(raised)
        graph.CopyFrom(raised)


def _raise_inner_loop(graph: Any, frames: dict[bytes, None]) -> bool:
    """Raise one of the `frames` that are left, one that holds no other; returns whether there was one."""
    for frame in frames:
        try:
            raise_loop(graph, frame)
        except Unraisable:
            continue
        del frames[frame]
        return True
    return False


def _raise_inner_branch(graph: Any) -> bool:
    try:
        return raise_branch(graph)
    except Unraisable:
        return False
