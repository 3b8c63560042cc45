from __future__ import annotations

import pytest

from onnxpress.measuring.macs import is_depthwise, macs


@pytest.mark.parametrize(
    ("op_type", "data", "weight", "output", "transposed", "expected"),
    [
        ("Conv", (1, 3, 8, 8), (4, 3, 3, 3), (1, 4, 8, 8), False, 4 * 64 * 27),
        ("Conv", (2, 4, 8, 8), (4, 1, 3, 3), (2, 4, 4, 4), False, 2 * 4 * 16 * 9),
        ("QLinearConv", (1, 3, 8), (4, 3, 3), (1, 4, 8), False, 4 * 8 * 9),
        ("ConvTranspose", (1, 3, 4, 4), (3, 5, 2, 2), (1, 5, 8, 8), False, 3 * 16 * 5 * 4),
        ("Gemm", (2, 6), (6, 5), (2, 5), False, 60),
        ("QGemm", (2, 6), (5, 6), (2, 5), True, 60),
        ("MatMul", (2, 7, 6), (2, 6, 5), (2, 7, 5), False, 2 * 7 * 6 * 5),
        ("MatMul", (7, 6), (6,), (7,), False, 42),
    ],
)
def test_counts(op_type, data, weight, output, transposed, expected) -> None:
    assert macs(op_type, data, weight, output, transposed=transposed) == expected


def test_depthwise_needs_groups() -> None:
    assert is_depthwise("QLinearConv", (8, 1, 3, 3), 8)
    assert not is_depthwise("Conv", (8, 1, 3, 3), 1), "one input channel is no depthwise convolution"
    assert not is_depthwise("Conv", (8, 2, 3, 3), 4)
