"""Pad against onnxruntime: every mode, pads known and computed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal

Agree = Callable[..., list[str]]


@FEW
@given(data=st.data(), mode=st.sampled_from(["constant", "edge", "reflect", "wrap"]), rank=st.integers(1, 4))
def test_any_mode(agree: Agree, data: st.DataObject, mode: str, rank: int):
    sizes = data.draw(st.lists(st.integers(2, 4), min_size=rank, max_size=rank))
    x = (normal(*sizes) * 9).astype(data.draw(st.sampled_from([np.float32, np.int32, np.float64])))
    axes = data.draw(st.sampled_from([None, [-1], list(range(rank))[::-1]]))
    named = range(rank) if axes is None else axes
    low = -1 if mode == "constant" else 0
    pads = [data.draw(st.integers(low, sizes[axis] - 1)) for _ in range(2) for axis in named]
    value = data.draw(st.sampled_from([None, np.array(7, x.dtype)])) if mode == "constant" else None
    inputs = {"x": x, "p": np.array(pads, np.int64), "v": value, "a": None if axes is None else np.array(axes)}
    constants = data.draw(st.sampled_from([(), ("p", "v", "a"), ("p",)]))
    unknown = data.draw(st.sampled_from([(), ("x",)]))
    node = case("Pad", inputs, constants=constants, unknown=unknown, opset=19, mode=mode)
    agree(node.model, node.feeds)


@pytest.mark.parametrize(
    ("node", "op"),
    [
        ("Pad(c, p)", "Pad"),
        ('Pad<mode = "reflect">(c, p)', "MirrorPad"),
        ('Pad<mode = "edge">(c, p)', "MirrorPad"),
        ('Pad<mode = "edge">(c, q)', "GatherV2"),
        ("Pad(c, q, v)", "PadV2"),
        ("Pad(c, q, z)", "Pad"),
        ("Pad(c, n)", "StridedSlice"),
    ],
)
def test_images_stay_as_they_lie(agree_on_image: Agree, node: str, op: str):
    constants = """
        p = Constant<value_ints = [0, 0, 1, 1, 0, 0, 0, 1]>() q = Constant<value_ints = [0, 0, 2, 1, 0, 0, 0, 3]>()
        n = Constant<value_ints = [0, -1, 0, 0, 0, 0, 0, -1]>()
        v = Constant<value_float = 2.5>() z = Constant<value_float = 0.0>()
    """
    assert agree_on_image(f"{constants} d = {node}").count(op) == (2 if op == "GatherV2" else 1)


def test_attributes_of_old_opsets(agree: Agree):
    node = case("Pad", {"x": normal(2, 3)}, opset=2, pads=[1, 0, 0, 2], value=1.5)
    agree(node.model, node.feeds)
