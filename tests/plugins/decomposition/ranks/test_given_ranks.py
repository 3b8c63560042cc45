"""Ranks by hand: the last line that speaks of a layer counts, and what is no rank is told."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from onnxpress.errors import InvalidOption
from onnxpress_plugins.decomposition.ranks.given_ranks import GivenRanks


def node(name: str) -> ir.Node:
    return ir.Node("", "Conv", [], name=name)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], None),
        (["other: 3"], None),
        (["y: 48x64"], (48, 64)),
        (["*: 3", "y: 5"], (5,)),
        (["y: 5", "<Conv>: 3"], (3,)),
    ],
)
def test_the_last_line_counts(lines: list[str], expected: tuple[int, ...] | None) -> None:
    assert GivenRanks(lines).of(node("y")) == expected


def test_a_colon_in_a_name() -> None:
    assert GivenRanks(["a: b: 7"]).of(node("a: b")) == (7,)


def test_a_layer_that_is_not_there() -> None:
    with pytest.raises(InvalidOption, match=r"ranks: no node is called 'z'; did you mean"):
        GivenRanks(["<Conv>: 3", "z: 5"]).check(ir.Model(ir.Graph([], [], nodes=[node("zz")]), ir_version=9))


@pytest.mark.parametrize("line", ["a", "a: b", "a: ", "a: 3x", "a: -3", ": 3", "a:3"])
def test_no_ranks(line: str) -> None:
    with pytest.raises(InvalidOption, match=r"^pass 'decompose': ranks takes LAYER: RANK, or LAYER: RANKxRANK, not '"):
        GivenRanks([line])
