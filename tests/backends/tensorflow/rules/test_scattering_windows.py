"""Col2Im and MaxUnpool: what a window took, put back."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from one_node import FEW, case, normal

Agree = Callable[..., list[str]]


@FEW
@given(data=st.data(), constants=st.sampled_from([(), ("i", "b")]))
def test_col2im(agree: Agree, data: st.DataObject, constants: tuple[str, ...]):
    def some(low: int, high: int, number: int = 2) -> list[int]:
        return data.draw(st.lists(st.integers(low, high), min_size=number, max_size=number))

    block, strides, dilations, pads, more = some(1, 3), some(1, 2), some(1, 2), some(0, 1, 4), some(0, 4)
    reach = [(size - 1) * step + 1 for size, step in zip(block, dilations, strict=True)]
    image = [size + extra for size, extra in zip(reach, more, strict=True)]
    places = prod((image[a] + pads[a] + pads[a + 2] - reach[a]) // strides[a] + 1 for a in range(2))
    inputs = {"x": normal(2, 3 * prod(block), places), "i": np.array(image), "b": np.array(block)}
    node = case("Col2Im", inputs, constants=constants, strides=strides, dilations=dilations, pads=pads)
    agree(node.model, node.feeds)


@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 0, 0, 1]])
def test_unpooling_puts_maxima_back(agree: Agree, pads: list[int]):
    window: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2], "pads": pads}
    attributes = ", ".join(f"{name} = {value}" for name, value in window.items())
    text = f"""agraph (float[2,3,n,m] x) => (float[2,3,a,b] y) {{
        p, i = MaxPool<{attributes}>(x) y = MaxUnpool<{attributes}>(p, i)
    }}"""
    agree(text, {"x": normal(2, 3, 6 - pads[0], 8 - pads[3])})
