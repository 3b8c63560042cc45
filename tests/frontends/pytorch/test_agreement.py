"""A conversion that computes something else is refused; one that cannot be checked says so."""

from __future__ import annotations

import onnx_ir as ir
import pytest
import torch
from torch import nn

from onnxpress.errors import InvalidModel
from onnxpress.kinds import WARNINGS_KEY
from onnxpress_frontends import torch_source
from onnxpress_frontends.pytorch import capturing, translating
from onnxpress_frontends.pytorch.agreement import check_agreement


def test_a_wrong_translation_is_refused() -> None:
    captured = capturing.capture_module(nn.Linear(400, 3), torch.ones(1, 400), None, None, None)
    model = translating.translate(captured)
    assert check_agreement(model, captured) == []
    (bias,) = (value for value in model.graph.initializers.values() if value.shape == (3,))
    assert bias.const_value is not None
    bias.const_value = ir.Tensor(bias.const_value.numpy() + 1, name=bias.name)
    with pytest.raises(InvalidModel) as caught:
        check_agreement(model, captured)
    assert str(caught.value) == (
        "the conversion of Linear gives another 'output' than PyTorch does on the example inputs; "
        "report the module, or replace the layers that torch.onnx gets wrong"
    )


def test_random_numbers_are_a_warning() -> None:
    class Noisy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.randn_like(x)

    model = torch_source.load(Noisy(), example_inputs=torch.ones(1, 3))
    assert model.meta[WARNINGS_KEY] == [
        "Noisy draws random numbers, so 'output' differs from run to run and could not be checked"
    ]
