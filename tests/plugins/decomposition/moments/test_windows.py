"""What a tap of a kernel sees is what onnxruntime shows it, padding included."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from calibrated import graph, numbers
from onnxpress.decomposition.rewriting import layer_of
from onnxpress.runtime import Session
from onnxpress_plugins.decomposition.moments.windows import Window, windows_of


def test_windows_of_automatic_padding() -> None:
    node = next(iter(graph('y = Conv<auto_pad = "SAME_LOWER", strides = [2, 2]>(x, w)', w=numbers(2, 4, 3, 2)).graph))
    high, wide = windows_of(layer_of(node))
    assert (high.padding(8), wide.padding(8)) == ((1, 0), (0, 0))
    assert (high.outputs(8), wide.outputs(8)) == (4, 4)
    assert Window(kernel=4, auto_pad="SAME_UPPER").padding(9) == (1, 2)


@settings(max_examples=40, deadline=None)
@given(
    taps=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.sampled_from(
        ["pads = [0, 0]", "pads = [2, 1]", *(f'auto_pad = "SAME_{way}"' for way in ("UPPER", "LOWER"))]
    ),
    size=st.integers(4, 9),
)
def test_as_onnxruntime_has_it(taps: int, stride: int, padding: str, size: int) -> None:
    """Output t of the layer is its tap t alone."""
    attributes = f"strides = [{stride}], {padding}"
    made = graph(f"y = Conv<{attributes}>(x, w)", x="float[1,1,L] x", y="y", w=np.eye(taps, dtype=np.float32)[:, None])
    (window,) = windows_of(layer_of(made.graph[0]))
    data = 1 + numbers(1, 1, size) ** 2
    (found,) = Session(made).run({"x": data}).values()
    places, padded = window.places(size), np.append(data[0, 0], 0)
    np.testing.assert_array_equal(padded[np.where((places < 0) | (places >= size), size, places)], found[0])
    assert window.outputs(size) == found.shape[2]
    np.testing.assert_allclose(window.sights(size) @ data[0, 0], found[0].sum(axis=1), rtol=1e-6)
