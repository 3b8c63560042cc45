"""Branches are joined in the first one; nothing changes before `merge`, and nothing else may use them."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from onnxpress import model_files
from onnxpress.naming import Names
from onnxpress_plugins.folding.affine import Obstacle
from onnxpress_plugins.grouping.branch_joining import Branches

SPLIT = "a, b = Split<axis = 1>(x, halves)"


def join(body: str) -> tuple[ir.Model, ir.Node, Branches, ir.Value]:
    """The branches that the last node, a Concat, puts together."""
    constants = {
        "k1": numbers(2, 1, 1),
        "k2": numbers(1, 1, 1, seed=1),
        "k3": numbers(1, 2, 1, 1),
        "halves": np.array([2, 2]),
    }
    made = graph(f"{SPLIT} {body}", **constants)
    before = model_files.to_proto(made)
    branches, concat = Branches(made.graph), made.graph[-1]
    value = branches.join(tuple(concat.inputs), 1)
    assert model_files.to_proto(made) == before
    return made, concat, branches, value


def test_the_first_branch_takes_over() -> None:
    made, concat, branches, value = join("c = Mul(a, k1) d = Mul(b, k2) y = Concat<axis = 1>(c, d)")
    assert (value.name, [node.name for node in branches.superseded]) == ("c", ["d", "a"])
    branches.check(concat)
    branches.merge(Names(made))
    assert value.producer().inputs[0] is made.graph.inputs[0]  # type: ignore[union-attr]
    factor = made.graph.initializers["k1"].const_value.numpy()  # type: ignore[union-attr]
    np.testing.assert_array_equal(factor, np.concatenate([numbers(2, 1, 1), np.repeat(numbers(1, 1, 1, seed=1), 2, 0)]))


def test_what_two_operands_share_is_joined_once() -> None:
    _, _, branches, value = join("c = Mul(a, a) d = Mul(b, b) y = Concat<axis = 1>(c, d)")
    assert value.name == "c"
    assert [node.name for node in branches.nodes] == ["c", "d", "a"]


def test_the_tensor_itself() -> None:
    made, _, branches, value = join("y = Concat<axis = 1>(a, b)")
    assert value is made.graph.inputs[0]
    assert [node.name for node in branches.superseded] == ["a"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("c = Relu(a) d = Abs(b) y = Concat<axis = 1>(c, d)", "one branch has Relu 'c' where another has Abs 'd'"),
        ("c = Relu(a) y = Concat<axis = 1>(c, x)", "'c', or what corresponds to it in another branch, is not computed"),
        (
            "c = Mul(a, k1) d = Mul(b, b) y = Concat<axis = 1>(c, d)",
            "Mul 'c' and Mul 'd' take operands of different ranks",
        ),
        (
            "c = Mul(a, k3) d = Mul(b, b) y = Concat<axis = 1>(c, d)",
            "'k3', or what corresponds to it in another branch, is not computed in this graph",
        ),
        (
            "c = Relu(a) d = Relu(b) e = Transpose(c) f = Transpose(d) y = Concat<axis = 1>(e, f)",
            "the branches do not take all of 'x', in order, along axis 2",
        ),
        (
            "c = Softmax(a) d = Softmax(b) y = Concat<axis = 1>(c, d)",
            "Softmax 'c' does not treat every channel by itself",
        ),
    ],
)
def test_what_cannot_be_joined(body: str, why: str) -> None:
    with pytest.raises(Obstacle) as caught:
        join(body)
    assert str(caught.value).startswith(why)


def test_others_that_use_a_branch() -> None:
    _, concat, branches, _ = join("c = Relu(a) d = Relu(b) m = Tanh(d) y = Concat<axis = 1>(c, d)")
    with pytest.raises(Obstacle, match=r"^'d' is also used by Tanh 'm'$"):
        branches.check(concat)
