from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_source import load

IMAGES = np.random.default_rng(0).uniform(0, 255, (2, 6, 6, 3))


def agree(tf: Any, operator: str, size: tuple[int, int], dtype: str = "float32", **options: bool) -> Any:
    images = IMAGES.astype(dtype)

    def resized(x: Any) -> Any:
        return getattr(tf.raw_ops, operator)(images=x, size=list(size), **options)

    model = load(tf.function(resized, input_signature=[tf.TensorSpec((None, 6, 6, 3), dtype, name="x")]))
    (actual,) = Session(model).run({"x": images}).values()
    expected = resized(images).numpy()
    assert actual.dtype == expected.dtype
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * 255)
    return model


@pytest.mark.parametrize("operator", ["ResizeBilinear", "ResizeNearestNeighbor"])
@pytest.mark.parametrize("options", [{}, {"align_corners": True}, {"half_pixel_centers": True}], ids=str)
def test_sizes_that_no_scale_gives_exactly(tf: Any, operator: str, options: dict[str, bool]) -> None:
    agree(tf, operator, (5, 7), **options)


def test_a_size_that_a_scale_gives_is_a_scale(tf: Any) -> None:
    assert [node.op_type for node in agree(tf, "ResizeBilinear", (12, 9)).graph] == ["Transpose", "Resize", "Transpose"]


@pytest.mark.parametrize("dtype", ["uint8", "float16", "int32"])
def test_any_type_is_interpolated_to_floats(tf: Any, dtype: str) -> None:
    agree(tf, "ResizeBilinear", (12, 9), dtype)


def test_bytes_stay_bytes_where_the_nearest_is_taken(tf: Any) -> None:
    agree(tf, "ResizeNearestNeighbor", (12, 3), "uint8")


@pytest.mark.parametrize("options", [{}, {"half_pixel_centers": True}], ids=str)
def test_each_cubic_kernel(tf: Any, options: dict[str, bool]) -> None:
    agree(tf, "ResizeBicubic", (12, 24), **options)
