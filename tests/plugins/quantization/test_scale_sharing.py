"""Who shares a scale: never a tensor that was cut off at zero with one that was not."""

from __future__ import annotations

import numpy as np
import pytest

from calibrated import feeds, graph, numbers, quantised
from onnxpress.runtime import Session

WEIGHTS = {"v": numbers(4, 4, 1, 1), "u": numbers(3, 12, 1, 1, seed=5)}
BODIES = {
    "one Concat, both cut off": "a = Conv(x, v) r = Relu(a) c = Concat<axis = 1>(r, r, r) y = Conv(c, u)",
    "nested, the outer one with negatives": """a = Conv(x, v) r = Relu(a) b = Conv(x, v) s = Relu(b)
        d = Conv(x, v) c = Concat<axis = 1>(r, s) e = Concat<axis = 1>(c, d) y = Conv(e, u)""",
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_no_sign_is_lost_in_a_concat(body: str) -> None:
    before = graph(body, **WEIGHTS)
    after = quantised(before)
    sample = feeds(before, batch=8)
    expected, actual = (Session(m, threads=1).run(sample)["y"].astype(np.float64) for m in (before, after))
    sqnr = 10 * np.log10((expected**2).sum() / ((expected - actual) ** 2).sum())
    assert sqnr > 30
