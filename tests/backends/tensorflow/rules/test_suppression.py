"""NonMaxSuppression against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case

Agree = Callable[..., list[str]]


@FEW
@given(
    counts=st.sampled_from([(1, 1), (2, 1), (1, 3), (2, 3)]),
    centre=st.integers(0, 1),
    given_=st.integers(1, 3),
    known=st.booleans(),
    unknown=st.booleans(),
    seed=st.integers(0, 99),
)
def test_suppression(
    agree: Agree, counts: tuple[int, int], centre: int, given_: int, known: bool, unknown: bool, seed: int
):
    rng = np.random.default_rng(seed)
    boxes = rng.uniform(0, 1, (counts[0], 12, 4)).astype(np.float32)
    scores = rng.uniform(0, 1, (*counts, 12)).astype(np.float32)
    limits: dict[str, Any] = {"n": np.array([4]), "o": np.float32([0.2]), "s": np.float32([0.3])}
    inputs = {"b": boxes, "s_": scores} | dict(list(limits.items())[:given_])
    node = case(
        "NonMaxSuppression",
        inputs,
        constants=list(limits)[:given_] if known else [],
        unknown=["b", "s_"] if unknown else [],
        center_point_box=centre,
    )
    node.model.graph.outputs[0].dtype = node.model.graph.outputs[0].dtype.INT64
    agree(node.model, node.feeds)


def test_without_a_limit_no_box_stays(agree: Agree):
    text = "agraph (float[1,3,4] b, float[1,2,3] s) => (int64[n,3] y) { y = NonMaxSuppression(b, s) }"
    rng = np.random.default_rng(0)
    agree(text, {"b": rng.uniform(0, 1, (1, 3, 4)).astype(np.float32), "s": np.ones((1, 2, 3), np.float32)})
