"""Pooling over whole pictures against onnxruntime, in any layout."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from one_node import case, normal

Agree = Callable[..., list[str]]


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", "GlobalLpPool<p = 1>"])
def test_layouts(agree: Agree, agree_on_image: Agree, op: str):
    agree_on_image(f"d = {op}(c)")
    text = f"agraph (float[2,3,4,n,2] x) => (float[a,b,c,d,e] y) {{ y = {op}(x) }}"
    assert "Transpose" not in agree(text, {"x": normal(2, 3, 4, 3, 2)})


def test_third_powers(agree: Agree):
    node = case("GlobalLpPool", {"x": normal(2, 3, 4)}, opset=17, p=3)
    agree(node.model, node.feeds)
