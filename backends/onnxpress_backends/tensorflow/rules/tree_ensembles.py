"""TreeEnsemble: all samples go down all trees at once, one level at a time.

Inner nodes and leaves are numbered together, the leaves behind; a leaf leads to itself, so that every tree is as deep
as the deepest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_backends.tensorflow.call import Call, Rule
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COMPARISONS = ("LessEqual", "Less", "GreaterEqual", "Greater", "Equal", "NotEqual")
"""What a node asks, by its mode; the mode after them asks whether the value is in a set."""

_AGGREGATIONS = ("Mean", "Sum", "Min", "Max")
_TRANSFORMS: Mapping[int, str | None] = {0: None, 1: "Softmax", 2: "Sigmoid"}


@dataclass(frozen=True)
class _Walk:
    """Samples on their way down: the node each of them has reached in each tree."""

    call: Call
    at: Tensor

    def read(self, table: Sequence[Any] | NDArray[Any], dtype: DType) -> Tensor:
        """What a table says of the node reached."""
        zero = self.call.const(0, DType.INT32)
        return self.call.emit("GatherV2", self.call.const(table, dtype), self.at, zero)


def tree_ensemble(call: Call) -> Tensor:
    """TreeEnsemble: the weights of the leaves that are reached, joined for each target."""
    transform = call.attribute("post_transform", 0)
    if transform not in _TRANSFORMS:
        call.refuse("its post_transform is not supported; only NONE, SOFTMAX and LOGISTIC are")
    samples, roots = call.tensor(0), call.attribute("tree_roots")
    rows = call.emit("GatherV2", call.emit("Shape", samples), call.const([0], DType.INT32), call.const(0, DType.INT32))
    start = call.emit("ConcatV2", [rows, call.const([len(roots)], DType.INT32)], call.const(0, DType.INT32))
    walk = _Walk(call, call.emit("BroadcastTo", call.const(roots, DType.INT32), start))
    yes, no = (_next(call, side) for side in ("true", "false"))
    for _ in range(_depth(call, roots, yes, no)):
        taken = _taken(walk, samples)
        ways = (walk.read(way, DType.INT32) for way in (yes, no))
        walk = _Walk(call, call.emit("SelectV2", taken, *ways))
    result = _aggregated(walk, samples.dtype)
    name = _TRANSFORMS[transform]
    return result if name is None else call.emit(name, result)


def _next(call: Call, side: str) -> list[int]:
    """Where each node leads, leaves included."""
    inner = len(call.attribute("nodes_modes").numpy())
    leaves = len(call.attribute("leaf_targetids"))
    pairs = zip(call.attribute(f"nodes_{side}nodeids"), call.attribute(f"nodes_{side}leafs"), strict=True)
    return [*(node + inner * leaf for node, leaf in pairs), *range(inner, inner + leaves)]


def _depth(call: Call, roots: Sequence[int], yes: Sequence[int], no: Sequence[int]) -> int:
    """Levels of the deepest tree."""
    inner = len(call.attribute("nodes_modes").numpy())
    level, depth = {root for root in roots if root < inner}, 0
    while level:
        level = {way[node] for node in level for way in (yes, no) if way[node] < inner}
        depth += 1
        if depth > inner:
            call.refuse("a node of its trees leads back to itself")
    return depth


def _taken(walk: _Walk, samples: Tensor) -> Tensor:
    """Whether the way of the true answer is taken."""
    call, leaves = walk.call, [0] * len(walk.call.attribute("leaf_targetids"))
    modes: list[int] = call.attribute("nodes_modes").numpy().tolist()
    features = walk.read([*call.attribute("nodes_featureids"), *leaves], DType.INT32)
    values = call.emit("GatherV2", samples, features, call.const(1, DType.INT32), batch_dims=1)
    splits = walk.read(np.append(call.attribute("nodes_splits").numpy(), leaves), values.dtype)
    here = walk.read([*modes, *leaves], DType.INT32)
    taken: Tensor | None = None
    for mode in sorted(set(modes)):
        if mode < len(_COMPARISONS):
            answer = call.emit(_COMPARISONS[mode], values, splits)
        else:
            answer = _is_member(walk, values, modes)
        answer = call.emit("LogicalAnd", answer, call.emit("Equal", here, call.const(mode, DType.INT32)))
        taken = answer if taken is None else call.emit("LogicalOr", taken, answer)
    assert taken is not None
    tracks = call.attribute("nodes_missing_value_tracks_true")
    if tracks is not None:
        missing = call.emit("LogicalAnd", call.emit("IsNan", values), walk.read([*tracks, *leaves], DType.BOOL))
        taken = call.emit("LogicalOr", taken, missing)
    return taken


def _is_member(walk: _Walk, values: Tensor, modes: Sequence[int]) -> Tensor:
    """Whether the values are in the sets of the nodes; those follow one another, each ended by a NaN."""
    call = walk.call
    listed = call.attribute("membership_values").numpy()
    sets = np.split(listed, np.flatnonzero(np.isnan(listed)) + 1)
    table = np.full((len(modes) + len(call.attribute("leaf_targetids")), max(map(len, sets))), np.nan)
    for node, members in zip(
        (node for node, mode in enumerate(modes) if mode == len(_COMPARISONS)), sets, strict=False
    ):
        table[node, : len(members)] = members
    column = call.emit("ExpandDims", values, call.const(-1, DType.INT32))
    same = call.emit("Equal", column, walk.read(table, values.dtype))
    return call.emit("Any", same, call.const([-1], DType.INT32))


def _aggregated(walk: _Walk, dtype: DType) -> Tensor:
    """The weights of the leaves by target: [samples, trees, targets] without the trees."""
    call, inner = walk.call, [0] * len(walk.call.attribute("nodes_modes").numpy())
    op = _AGGREGATIONS[call.attribute("aggregate_function", 1)]
    weights = walk.read(np.append(inner, call.attribute("leaf_weights").numpy()), dtype)
    targets = walk.read([*inner, *call.attribute("leaf_targetids")], DType.INT32)
    flags = call.const(True, DType.BOOL), call.const(False, DType.BOOL)
    hit = call.emit("OneHot", targets, call.const(call.attribute("n_targets"), DType.INT32), *flags)
    column, trees = call.emit("ExpandDims", weights, call.const(-1, DType.INT32)), call.const([1], DType.INT32)
    zero = call.const(0, dtype)
    if op in ("Mean", "Sum"):
        return call.emit(op, call.emit("SelectV2", hit, column, zero), trees)
    nothing = call.const(np.inf if op == "Min" else -np.inf, dtype)
    extreme = call.emit(op, call.emit("SelectV2", hit, column, nothing), trees)
    return call.emit("SelectV2", call.emit("Any", hit, trees), extreme, zero)


RULES: Mapping[str, Rule] = {
    "ai.onnx.ml::TreeEnsemble": tree_ensemble,
}
