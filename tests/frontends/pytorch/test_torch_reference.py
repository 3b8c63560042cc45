"""The reference refuses what it cannot run, in one line."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from onnxpress.errors import InvalidData
from onnxpress.kinds import Port
from onnxpress_frontends import torch_source


def test_ports_are_those_of_the_converted_model() -> None:
    reference = torch_source.reference(nn.Embedding(5, 3), example_inputs=torch.zeros(1, 4, dtype=torch.int64))
    assert reference.inputs == (Port(name="input", dtype="int64", shape=("N", 4)),)
    assert reference.outputs == (Port(name="output", dtype="float32", shape=("N", 4, 3)),)


def test_inputs_that_do_not_fit() -> None:
    reference = torch_source.reference(nn.Linear(4, 3), example_inputs=torch.zeros(1, 4))
    with pytest.raises(InvalidData, match=r"^'Linear' takes inputs \['input'\], not \['x'\]$"):
        reference.run({"x": np.ones((1, 4), "float32")})
    with pytest.raises(InvalidData, match=r"^PyTorch cannot run 'Linear': mat1 and mat2 shapes cannot be multiplied"):
        reference.run({"input": np.ones((1, 5), "float32")})
