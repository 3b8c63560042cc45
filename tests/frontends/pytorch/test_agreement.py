"""A conversion that computes something else is refused; one that cannot be checked says so."""

from __future__ import annotations

import onnx_ir as ir
import pytest
import torch
from torch import nn

from onnxpress.errors import InvalidData, InvalidModel
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


@pytest.mark.long
def test_a_graph_that_does_not_run_is_refused() -> None:
    captured = capturing.capture_module(nn.Linear(4, 3), torch.ones(1, 4), None, None, None)
    model = translating.translate(captured)
    captured.examples["input"].resize_(1, 5)
    with pytest.raises(InvalidData, match=r"^PyTorch cannot run 'Linear': "):
        check_agreement(model, captured)
    captured.examples["input"].resize_(1, 4)
    shape = ir.Value(name="shape", const_value=ir.tensor([7, 3], name="shape"))
    shape.dtype, shape.shape = ir.DataType.INT64, ir.Shape([2])
    model.graph.register_initializer(shape)
    last = model.graph[-1]
    reshaped = ir.node("Reshape", [last.outputs[0], shape], name="reshaped")
    model.graph.append(reshaped)
    reshaped.outputs[0].type, reshaped.outputs[0].shape = last.outputs[0].type, ir.Shape([7, 3])
    last.outputs[0].name, reshaped.outputs[0].name = "inner", "output"
    model.graph.outputs[0] = reshaped.outputs[0]
    with pytest.raises(
        InvalidModel, match=r"^torch\.onnx makes a graph of Linear that does not run: onnxruntime cannot"
    ):
        check_agreement(model, captured)


def test_random_numbers_are_a_warning() -> None:
    class Noisy(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.randn_like(x)

    model = torch_source.load(Noisy(), example_inputs=torch.ones(1, 3))
    assert model.meta[WARNINGS_KEY] == [
        "Noisy draws random numbers, so 'output' differs from run to run and could not be checked"
    ]
