"""Who shares a scale: never a tensor that was cut off at zero with one that was not."""

from __future__ import annotations

import numpy as np
import pytest

from calibrated import feeds, graph, numbers, quantised
from onnxpress.runtime import Session
from onnxpress_plugins.quantization.scale_sharing import groups, joined_channels

WEIGHTS = {"v": numbers(4, 4, 1, 1), "u": numbers(3, 12, 1, 1, seed=5)}
BODIES = {
    "one Concat, both cut off": "a = Conv(x, v) r = Relu(a) c = Concat<axis = 1>(r, r, r) y = Conv(c, u)",
    "nested, the outer one with negatives": """a = Conv(x, v) r = Relu(a) b = Conv(x, v) s = Relu(b)
        d = Conv(x, v) c = Concat<axis = 1>(r, s) e = Concat<axis = 1>(c, d) y = Conv(e, u)""",
}


@pytest.mark.parametrize(
    ("body", "sizes", "joined"),
    [
        ("y = Concat<axis = 1>(a, b)", (64, 32), ["a", "b", "y"]),
        ("y = Concat<axis = 1>(a, b)", (64, 48), None),
        ("y = Concat<axis = 1>(a, b)", (64, "C"), None),
        ("y = Concat<axis = 2>(a, b)", (32, 32), None),
        ("y = Sum(a, b)", (32, 32), None),
    ],
)
def test_tensors_around_a_concat_of_multiples_are_joined(
    body: str, sizes: tuple[int | str, int | str], joined: list[str] | None
) -> None:
    made = graph(body, x=f"float[N,{sizes[0]},2,2] a, float[N,{sizes[1]},2,2] b", y="float[N,C,H,W] y")
    found = [[value.name for value in values] for values in joined_channels(made.graph, 32)]
    assert found == ([] if joined is None else [joined])


def test_only_what_is_quantised_is_joined() -> None:
    made = graph("y = Concat<axis = 1>(a, b, c)", x="float[N,4] a, float[N,4] b, float[N,4] c")
    a, b, c = made.graph.inputs
    y = made.graph.outputs[0]
    found = [[value.name for value in group.values] for group in groups([a, c, y], [], [(a, b, y)])]
    assert found == [["a", "y"], ["c"]]
    assert [[value.name for value in group.sources] for group in groups([a, y], [], [(a, b, y)])] == [["a", "y"]]


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_sign_is_lost_in_a_concat(body: str) -> None:
    before = graph(body, **WEIGHTS)
    after = quantised(before)
    sample = feeds(before, batch=8)
    expected, actual = (Session(m, threads=1).run(sample)["y"].astype(np.float64) for m in (before, after))
    sqnr = 10 * np.log10((expected**2).sum() / ((expected - actual) ** 2).sum())
    assert sqnr > 30
