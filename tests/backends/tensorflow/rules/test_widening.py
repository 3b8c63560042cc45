"""The table of what has no kernel, against TensorFlow's own."""

from __future__ import annotations

from typing import Any

import pytest

from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.rules.widening import LACKING, WIDER


def runs(tf: Any, op: str, dtype: DType) -> bool:
    """Whether TensorFlow has a CPU kernel of `op` for a type: found by running it."""
    x = tf.constant([3, 5], int(dtype))
    inputs = {"Tile": {"input": x, "multiples": [2]}, "TruncateMod": {"x": x, "y": x}}[op]
    try:
        getattr(tf.raw_ops, op)(**inputs)
    except (tf.errors.UnimplementedError, tf.errors.NotFoundError, tf.errors.InvalidArgumentError):
        return False
    return True


@pytest.mark.parametrize("op", LACKING)
def test_the_wider_type_has_the_kernel_that_the_narrow_one_lacks(tf: Any, op: str):
    for narrow in LACKING[op]:
        assert not runs(tf, op, narrow), narrow
        assert runs(tf, op, WIDER[narrow]), narrow


def test_the_wider_type_holds_the_narrow_one():
    import numpy as np

    for narrow, wide in WIDER.items():
        assert wide.numpy.itemsize > narrow.numpy.itemsize
        if narrow.is_integer:
            assert np.can_cast(narrow.numpy, wide.numpy)
        else:
            assert wide == DType.FLOAT
