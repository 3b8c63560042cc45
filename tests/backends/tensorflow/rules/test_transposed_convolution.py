"""ConvTranspose against onnxruntime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal

Agree = Callable[..., list[str]]


@st.composite
def nodes(draw: st.DrawFn) -> dict[str, Any]:
    """Attributes that leave something of every axis."""
    rank = draw(st.integers(1, 3))

    def some(low: int, high: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=rank, max_size=rank))

    kernel, strides, sizes = some(1, 3), some(1, 3), some(2, 5)
    attributes: dict[str, Any] = {"strides": strides, "dilations": draw(st.sampled_from([[1] * rank, [2] * rank]))}
    auto = draw(st.sampled_from(["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER"]))
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, attributes["dilations"], strict=True)]
    if auto != "NOTSET":
        return {"kernel": kernel, "sizes": sizes, "attributes": attributes | {"auto_pad": auto}}
    if draw(st.booleans()):
        whole = [(n - 1) * s + r for n, s, r in zip(sizes, strides, reach, strict=True)]
        least = [max(size, out - 2) for size, out in zip(sizes, whole, strict=True)]
        return {"kernel": kernel, "sizes": sizes, "attributes": attributes | {"output_shape": least}}
    attributes["output_padding"] = [draw(st.integers(0, step - 1)) for step in strides]
    attributes["pads"] = [draw(st.integers(0, (size - 1) // 2)) for size in reach * 2]
    return {"kernel": kernel, "sizes": sizes, "attributes": attributes}


@FEW
@given(node=nodes(), groups=st.sampled_from([(1, 2, 3), (2, 1, 1), (2, 1, 2), (3, 2, 1)]), data=st.data())
def test_any_window(agree: Agree, node: dict[str, Any], groups: tuple[int, int, int], data: st.DataObject):
    group, within, out = groups
    inputs = {
        "x": normal(2, group * within, *node["sizes"]),
        "w": normal(group * within, out, *node["kernel"], seed=1),
        "b": data.draw(st.sampled_from([None, normal(group * out, seed=2)])),
    }
    constants = data.draw(st.sampled_from([(), ("w", "b")]))
    unknown = data.draw(st.sampled_from([(), ("x",)]))
    made = case("ConvTranspose", inputs, constants=constants, unknown=unknown, group=group, **node["attributes"])
    agree(made.model, made.feeds)


@pytest.mark.parametrize("unknown", [(), ("x",)])
@pytest.mark.parametrize(
    ("attributes", "cut"),
    [
        ({"pads": [1, 1, 1, 1], "output_padding": [1, 1]}, True),
        ({"pads": [0, 0, 1, 1]}, False),
        ({"auto_pad": "SAME_UPPER"}, False),
        ({"output_padding": [1, 0]}, False),
    ],
)
def test_one_operator_where_tensorflow_cuts_alike(agree: Agree, unknown: Any, attributes: dict[str, Any], cut: bool):
    inputs = {"x": normal(1, 2, 4, 5), "w": normal(2, 3, 3, 3)}
    node = case("ConvTranspose", inputs, constants=["w"], unknown=unknown, strides=[2, 2], **attributes)
    ops = agree(node.model, node.feeds)
    assert ops.count("Conv2DBackpropInput") == 1
    assert ("Slice" in ops or ops.count("StridedSlice") > 0) == cut
    assert "Pad" not in ops


def test_elements_that_no_tap_reaches_are_the_bias(run_tensorflow: Callable[..., dict[str, np.ndarray]]):
    """The output may go on for longer than a stride, which onnxruntime does not allow."""
    inputs = {"x": normal(1, 2, 3), "w": normal(2, 2, 2), "b": normal(2)}
    short, long = (
        run_tensorflow(node.model, node.feeds)["y0"]
        for more in (0, 2)
        for node in [case("ConvTranspose", inputs, dilations=[3], output_padding=[more])]
    )
    np.testing.assert_array_equal(long[..., :-2], short)
    np.testing.assert_array_equal(long[..., -2:], np.repeat(inputs["b"][None, :, None], 2, axis=2))
