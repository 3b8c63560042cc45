"""How far outputs move: exact on models whose answer is known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from low_rank_networks import Images, kernel
from onnxpress.errors import InvalidData
from onnxpress.kinds import Context
from onnxpress.registry import Registry
from onnxpress.testing import apply
from onnxpress_plugins.decomposition.decomposing import DECOMPOSE
from onnxpress_plugins.decomposition.ranks.sensitivity import output_shifts

ROWS = numbers(12, 4)


class Samples:
    """Rows, one at a time."""

    is_random = False

    def __init__(self, rows: np.ndarray[Any, Any]) -> None:
        self.rows = rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from ({"x": row[None]} for row in self.rows)


def scaled(factor: float) -> ir.Model:
    return graph("y = Mul(x, f)", x="float[N,4] x", y="float[N,4] y", f=np.array(factor, np.float32))


def shifts(model: ir.Model, variants: list[ir.Model], data: Any, samples: int = 12) -> list[float]:
    context = Context(catalog=Registry(), data=data, threads=1)
    return output_shifts(model, iter(variants), context, count=len(variants), samples=samples)


def test_squared_error_over_variance() -> None:
    found = shifts(scaled(1), [scaled(1), scaled(1.5), scaled(0)], Samples(ROWS))
    power = np.square(ROWS).mean() / ROWS.var()
    np.testing.assert_allclose(found, [0, 0.25 * power, power], rtol=1e-5)


def test_only_so_many_samples_are_run() -> None:
    (found,) = shifts(scaled(1), [scaled(0)], Samples(ROWS), samples=3)
    assert found == pytest.approx(np.square(ROWS[:3]).mean() / ROWS[:3].var(), rel=1e-5)


def test_an_output_counts_as_much_as_another_whatever_its_scale_and_an_index_not_at_all() -> None:
    def two(factor: float) -> ir.Model:
        body = "y = Mul(x, f) z = Mul(y, h) i = ArgMax(x)"
        half = np.array(100, np.float32)
        outputs = "float[N,4] y, float[N,4] z, int64[1,4] i"
        return graph(body, x="float[N,4] x", y=outputs, f=np.array(factor, np.float32), h=half)

    expected = shifts(scaled(1), [scaled(0.5)], Samples(ROWS))
    np.testing.assert_allclose(shifts(two(1), [two(0.5)], Samples(ROWS)), expected, rtol=1e-4)


def test_what_says_nothing_is_refused() -> None:
    with pytest.raises(InvalidData, match="no float output of the model varies over the samples"):
        shifts(scaled(0), [scaled(0)], Samples(ROWS))
    with pytest.raises(InvalidData, match="sensitivity cannot be measured: the data hold no sample"):
        shifts(scaled(1), [], Samples(ROWS[:0]))
    with pytest.raises(InvalidData, match="sensitivity cannot be measured without data; give samples with --data PATH"):
        shifts(scaled(1), [], None)


def test_a_layer_whose_output_hardly_counts_is_cut_harder() -> None:
    """Two layers alike, of which one is scaled by a hundredth before they are added."""
    weight = kernel(48, 32, 3, 3, rank=40, noise=0.5)
    before = graph(
        "a = Conv(x, w) b = Conv(x, v) c = Mul(b, s) y = Add(a, c)",
        x="float[N,32,16,16] x",
        y="float[N,48,14,14] y",
        w=weight,
        v=weight[::-1].copy(),
        s=np.array(0.01, np.float32),
    )
    given = {"max_error": 1.0, "budget": 0.5}
    _, alike = apply(DECOMPOSE, before, data=Images(), samples=0, **given)
    _, weighed = apply(DECOMPOSE, before, data=Images(), samples=2, **given)
    costs = {name: own["macs"][1] for name, own in weighed.details["layers"].items()}
    assert set(alike.details["layers"]) == {"a", "b"}
    assert costs.get("a", np.inf) >= 2 * costs["b"]
