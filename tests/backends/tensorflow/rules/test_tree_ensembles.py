"""TreeEnsemble against a walk through the trees written out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from one_node import normal
from onnxpress.errors import UnsupportedModel

RunTensorFlow = Callable[..., dict[str, Any]]
COMPARE = [np.less_equal, np.less, np.greater_equal, np.greater, np.equal, np.not_equal]
LEAVES = np.float32([1, 2, 3, 4, 5, 6, 7])
TARGETS = [0, 1, 0, 1, 1, 0, 1]
SPLITS = np.float32([0.2, -0.4, 0.5, 0.0, 0.1])
FEATURES = [0, 1, 2, 1, 0]
YES, NO = [(1, 0), (0, 1), (2, 1), (4, 0), (4, 1)], [(2, 0), (1, 1), (3, 1), (6, 1), (5, 1)]
ROOTS = [0, 3]
"""Two trees: node or leaf, and whether it is a leaf, for each of five nodes."""


def ensemble(modes: list[int], **attributes: Any) -> ir.Model:
    node = onnx.helper.make_node(
        "TreeEnsemble",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=3,
        nodes_modes=onnx.numpy_helper.from_array(np.array(modes, np.uint8)),
        nodes_splits=onnx.numpy_helper.from_array(SPLITS),
        nodes_featureids=FEATURES,
        nodes_truenodeids=[node for node, _ in YES],
        nodes_trueleafs=[leaf for _, leaf in YES],
        nodes_falsenodeids=[node for node, _ in NO],
        nodes_falseleafs=[leaf for _, leaf in NO],
        leaf_targetids=TARGETS,
        leaf_weights=onnx.numpy_helper.from_array(LEAVES),
        tree_roots=ROOTS,
        **attributes,
    )
    sizes = [onnx.helper.make_tensor_value_info(name, 1, ["n", 3]) for name in "xy"]
    graph = onnx.helper.make_graph([node], "trees", sizes[:1], sizes[1:])
    opsets = [onnx.helper.make_opsetid("", 22), onnx.helper.make_opsetid("ai.onnx.ml", 5)]
    return ir.serde.deserialize_model(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10))


def reached(sample: Any, root: int, modes: list[int], sets: dict[int, set[float]], tracks: list[int]) -> int:
    """The leaf where a sample ends."""
    at, leaf = root, 0
    while not leaf:
        value = sample[FEATURES[at]]
        yes = COMPARE[modes[at]](value, SPLITS[at]) if modes[at] < len(COMPARE) else float(value) in sets[at]
        at, leaf = (YES if yes or (np.isnan(value) and tracks[at]) else NO)[at]
    return at


@pytest.mark.parametrize(("function", "join"), list(enumerate([np.mean, np.sum, np.min, np.max])))
@pytest.mark.parametrize("modes", [[0] * 5, [1, 2, 3, 0, 1], [4, 5, 0, 1, 2], [6, 0, 6, 2, 3]])
def test_walks(run_tensorflow: RunTensorFlow, modes: list[int], function: int, join: Callable[..., Any]):
    x = normal(40, 3)
    x[0, 0], x[1, 1], x[2, 2], x[3] = SPLITS[0], SPLITS[1], np.nan, np.nan
    members = [{float(x[5, 0]), float(x[6, 0])}, {float(x[7, 2])}]
    sets = dict(zip((node for node, mode in enumerate(modes) if mode == 6), members, strict=False))
    attributes: dict[str, Any] = {}
    if sets:
        listed = [value for each in sets.values() for value in [*sorted(each), np.nan]]
        attributes["membership_values"] = onnx.numpy_helper.from_array(np.array(listed, np.float32))
    tracks = [1, 0, 1, 0, 1]
    expected = np.zeros((40, 3), np.float32)
    for row, sample in enumerate(x):
        leaves = [reached(sample, root, modes, sets, tracks) for root in ROOTS]
        for target in range(3):
            hits = [LEAVES[leaf] for leaf in leaves if TARGETS[leaf] == target]
            if hits:
                expected[row, target] = np.sum(hits) / len(ROOTS) if join is np.mean else join(hits)
    built = ensemble(modes, aggregate_function=function, nodes_missing_value_tracks_true=tracks, **attributes)
    np.testing.assert_allclose(run_tensorflow(built, {"x": x})["y"], expected, rtol=1e-6)


def test_transforms(run_tensorflow: RunTensorFlow):
    x = normal(5, 3)
    plain = run_tensorflow(ensemble([0] * 5), {"x": x})["y"]
    result = run_tensorflow(ensemble([0] * 5, post_transform=2), {"x": x})["y"]
    np.testing.assert_allclose(result, 1 / (1 + np.exp(-plain)), rtol=1e-6)
    with pytest.raises(UnsupportedModel, match="its post_transform is not supported; only NONE, SOFTMAX and LOGISTIC"):
        run_tensorflow(ensemble([0] * 5, post_transform=4), {"x": x})


def test_trees_that_are_no_trees_are_refused(run_tensorflow: RunTensorFlow):
    looped = ensemble([0] * 5)
    looped.graph.node(0).attributes["nodes_falsenodeids"] = ir.AttrInt64s("nodes_falsenodeids", [0, 1, 3, 6, 5])
    looped.graph.node(0).attributes["nodes_falseleafs"] = ir.AttrInt64s("nodes_falseleafs", [0, 1, 1, 1, 1])
    with pytest.raises(UnsupportedModel, match="a node of its trees leads back to itself"):
        run_tensorflow(looped, {"x": normal(5, 3)})
