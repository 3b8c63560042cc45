"""ReLU6 becomes ReLU where the integers end at 6 anyway."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from calibrated import numbers
from onnxpress.runtime import Session
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.fake_quantization import fake_quantised
from quantized_graphs import quantized_graph, whole

SIX = {"low": np.float32(0), "high": np.float32(6), "w": whole(5, 4, 3, 3), "zx": np.int8(-128)}
BODY = "r = Clip(x, low, high) d = PAIR(r) v = DequantizeLinear(w, sw, zw) y = Conv(d, v)"


def first_op(body: str = BODY, y: str = "y", **changed: object) -> str:
    model = deployed(quantized_graph(body, y=y, **SIX | changed))
    return next(node.op_type for node in model.graph if node.op_type in ("Clip", "Relu"))


def test_a_clip_that_saturation_does_becomes_relu() -> None:
    model = quantized_graph(BODY, **SIX | {"sx": np.float32(6 / 255)})
    relaxed = deployed(model)
    assert [node.op_type for node in relaxed.graph] == ["Relu", "AscendQuant", "Conv", "AscendDequant"]
    feeds = {"x": numbers(2, 4, 6, 6) * 9}
    expected, actual = Session(model, threads=1).run(feeds)["y"], Session(fake_quantised(relaxed), threads=1).run(feeds)
    np.testing.assert_allclose(actual["y"], expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize(
    "changed",
    [
        {"sx": np.float32(0.05)},  # 127 stands for 12.75
        {"sx": np.float32(6 / 255), "low": np.float32(-1)},
    ],
)
def test_a_clip_that_cuts_more_stays(changed: dict[str, object]) -> None:
    assert first_op(**changed) == "Clip"


def test_a_clip_that_floats_see_stays() -> None:
    assert first_op(f"{BODY} z = Neg(r)", "y, z", sx=np.float32(6 / 255)) == "Clip"
    assert first_op(BODY, "y, r", sx=np.float32(6 / 255)) == "Clip"


STEPS = st.floats(2.0**-10, 0.25, width=32)


@given(st.floats(0.125, 16, width=32), STEPS, st.integers(-128, 127), st.floats(-50, 50, width=32))
def test_no_integer_changes(high: float, step: float, offset: int, x: float) -> None:
    changed = {"high": np.float32(high), "sx": np.float32(step), "zx": np.int8(offset)}
    model = deployed(quantized_graph(BODY, **SIX | changed))
    assume(model.graph[0].op_type == "Relu")
    quant = next(node for node in model.graph if node.op_type == "AscendQuant")
    reciprocal = np.float32(quant.attributes["scale"].as_float())
    below, above = np.float32(min(max(x, 0), high)), np.float32(max(x, 0))
    one, other = (np.clip(np.rint(value * reciprocal) + offset, -128, 127) for value in (below, above))
    assert one == other
