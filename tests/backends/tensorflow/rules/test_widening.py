"""The table of what has no kernel, against TensorFlow's own."""

from __future__ import annotations

from typing import Any

from onnxpress_backends.tensorflow.dtypes import DType
from onnxpress_backends.tensorflow.rules.widening import LACKING, WIDER


def kernels(op: str) -> set[int]:
    """The types of T that TensorFlow has a CPU kernel for."""
    from tensorflow.python.framework.kernels import get_registered_kernels_for_op

    registered = [kernel for kernel in get_registered_kernels_for_op(op).kernel if kernel.device_type == "CPU"]
    constraints = [constraint for kernel in registered for constraint in kernel.constraint if constraint.name == "T"]
    return {number for constraint in constraints for number in constraint.allowed_values.list.type}


def test_the_wider_type_has_the_kernel_that_the_narrow_one_lacks(tf: Any):
    for op, narrow in LACKING.items():
        have = kernels(op)
        assert not have.intersection(narrow), op
        assert have.issuperset(WIDER[dtype] for dtype in narrow), op


def test_the_wider_type_holds_the_narrow_one():
    import numpy as np

    for narrow, wide in WIDER.items():
        assert wide.numpy.itemsize > narrow.numpy.itemsize
        if narrow.is_integer:
            assert np.can_cast(narrow.numpy, wide.numpy)
        else:
            assert wide == DType.FLOAT
