"""The comparison that every conversion from PyTorch is held to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends import torch_source

Same = Callable[..., ir.Model]


@pytest.fixture(scope="session")
def same() -> Same:
    """Convert a source; assert that onnxruntime gives what PyTorch gives, to 1e-5 of the largest, for 1 and 3 rows."""

    def check(source: Any, example_inputs: Any = None, **options: Any) -> ir.Model:
        model = torch_source.load(source, example_inputs=example_inputs, **options)
        reference = torch_source.reference(source, example_inputs=example_inputs, **options)
        session = Session(model)
        assert reference.inputs == session.inputs and reference.outputs == session.outputs
        generator = np.random.default_rng(0)
        for batch in (1, 3):
            feeds = {
                port.name: generator.uniform(
                    0, 9, [size if isinstance(size, int) else batch if size == "N" else 6 for size in port.shape or ()]
                ).astype(port.dtype)
                for port in session.inputs
            }
            actual, expected = session.run(feeds), reference.run(feeds)
            assert list(actual) == list(expected)
            for name, array in expected.items():
                assert actual[name].dtype == array.dtype
                scale = np.abs(array.astype(float)).max()
                assert scale > 0
                np.testing.assert_allclose(actual[name], array, rtol=0, atol=1e-5 * scale, err_msg=name)
        return model

    return check
