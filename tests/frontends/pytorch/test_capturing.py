"""What a module is exported with, what becomes of its names, and that it is afterwards as it was."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import torch_models
from onnxpress.errors import InvalidOption, UnsupportedModel
from onnxpress_frontends import torch_source
from onnxpress_frontends.torch_import import quiet


class Nested(nn.Module):
    def forward(
        self, batch: dict[str, torch.Tensor], scale: float, mask: torch.Tensor | None = None, *, extra: torch.Tensor
    ) -> dict[str, Any]:
        return {"sum": batch["a"] + batch["b"] * scale, "pair": (extra * 2, batch["a"]), "mask": mask}


class Plain(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        return x + 1, (x * 2, y)


def ends(source: Any, **options: Any) -> list[list[str]]:
    """Names of inputs and of outputs."""
    reference = torch_source.reference(source, **options)
    return [[port.name for port in ports] for ports in (reference.inputs, reference.outputs)]


def refusal(kind: type[Exception], source: Any, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        torch_source.load(source, **options)
    return str(caught.value)


def test_dictionaries_tuples_and_several_inputs(same: Any) -> None:
    ones = torch.ones(1, 3)
    model = same(Nested(), {"batch": {"a": ones, "b": ones}, "scale": 0.5, "extra": torch.ones(1, 4)})
    assert [value.name for value in model.graph.inputs] == ["batch_a", "batch_b", "extra"]
    assert [value.name for value in model.graph.outputs] == ["sum", "pair_0", "pair_1"]


def test_outputs_without_keys_are_numbered() -> None:
    ones = torch.ones(1, 3)
    assert ends(Plain(), example_inputs=(ones, ones)) == [["x", "y"], ["output_0", "output_1_0", "output_1_1"]]
    assert ends(nn.ReLU(), example_inputs=ones) == [["input"], ["output"]]


def test_names_can_be_given() -> None:
    ones = torch.ones(1, 3)
    names: dict[str, Any] = {"input_names": ["left", "right"], "output_names": ["a", "b", "c"]}
    assert ends(Plain(), example_inputs=(ones, ones), **names) == [["left", "right"], ["a", "b", "c"]]


def test_a_name_too_few_is_refused() -> None:
    ones = torch.ones(1, 3)
    assert refusal(InvalidOption, Plain(), example_inputs=(ones, ones), input_names=["left"]) == (
        "option 'input_names' must give 2 different names, for x, y"
    )


def test_a_name_of_both_ends_is_told_apart() -> None:
    class Same(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"x": x + 1}

    assert ends(Same(), example_inputs=torch.ones(1, 3)) == [["x"], ["x_out"]]


@pytest.mark.long
def test_one_example_is_enough_for_an_open_batch(same: Any) -> None:
    class Attending(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.scaled_dot_product_attention(x, x, x) + x.new_ones(x.shape[0], 1, 1, 1)

    same(Attending(), torch.ones(1, 2, 4, 6))


def test_every_size_can_be_fixed() -> None:
    inputs = (np.ones((2, 3), "float32"), torch.ones(2, 2))
    reference = torch_source.reference(Plain(), example_inputs=inputs, dynamic_axes={})
    assert [port.shape for port in (*reference.inputs, *reference.outputs)] == [(2, 3), (2, 2), (2, 3), (2, 3), (2, 2)]


def test_the_module_is_as_it_was() -> None:
    module = torch_models.cnn().train()
    module.block.eval()
    module.stem[0].weight.grad = torch.ones_like(module.stem[0].weight)
    modes = [each.training for each in module.modules()]
    state = copy.deepcopy(module.state_dict())
    torch_source.load(module, example_inputs=torch.zeros(1, 3, 16, 16))
    torch_source.reference(module, example_inputs=torch.zeros(1, 3, 16, 16)).run(
        {"image": np.ones((2, 3, 16, 16), "float32")}
    )
    assert [each.training for each in module.modules()] == modes and modes[0] and not all(modes)
    assert all(torch.equal(tensor, state[name]) for name, tensor in module.state_dict().items())
    assert all(parameter.requires_grad and parameter.device.type == "cpu" for parameter in module.parameters())
    assert module.stem[0].weight.grad.sum() == module.stem[0].weight.numel()


def test_the_module_is_as_it_was_when_it_cannot_be_exported() -> None:
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 2 if x.sum() > 0 else x

    module = Branching()
    message = refusal(UnsupportedModel, module, example_inputs=torch.ones(1, 3))
    assert module.training
    assert message.startswith(
        "Branching cannot be exported; torch.export says: Could not guard on data-dependent expression Eq(u0, 1)"
    )
    assert message.endswith(", in forward); replace a branch on values by torch.where or torch.cond")
    assert "test_capturing.py:" in message and "\n" not in message


def test_a_size_that_cannot_change_is_one_line() -> None:
    class Fixed(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.reshape(2, 3)

    assert refusal(UnsupportedModel, Fixed(), example_inputs=torch.ones(2, 3)) == (
        "Fixed cannot be exported; torch.export says: Constraints violated (L['x'].size()[0]); "
        "the module fixes this size: say which stay open, dynamic_axes={'x': {1: 'N'}}, or that none does, {}"
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {},
            "a torch.nn.Module is exported by running it once on example inputs; "
            "give tensors: example_inputs=(image,), or by argument name, example_inputs={'image': image}",
        ),
        (
            {"example_inputs": torch.ones(1, 3)},
            "option 'example_inputs' does not fit Plain.forward"
            "(x: 'torch.Tensor', y: 'torch.Tensor') -> 'tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]': "
            "missing a required argument: 'y'",
        ),
        (
            {"example_inputs": (1, 2)},
            "option 'example_inputs' holds no tensor; "
            "give tensors: example_inputs=(image,), or by argument name, example_inputs={'image': image}",
        ),
        (
            {"example_inputs": (torch.ones(1, 3), torch.ones(1, 3)), "dynamic_axes": {"z": {0: "N"}}},
            "option 'dynamic_axes' names no input 'z'; the inputs: x, y",
        ),
        (
            {"example_inputs": (torch.ones(1, 3), torch.ones(1, 3)), "dynamic_axes": {"x": [2]}},
            "option 'dynamic_axes': input 'x' has 2 axes and no axis 2",
        ),
        (
            {"example_inputs": (torch.ones(1, 3), torch.ones(1, 3)), "dynamic_axes": "x"},
            "option 'dynamic_axes' must be like {'tokens': {0: 'N', 1: 'T'}}, not 'x'",
        ),
    ],
)
def test_an_option_that_does_not_fit(options: dict[str, Any], sentence: str) -> None:
    assert refusal(InvalidOption, Plain(), **options) == sentence


def test_what_is_no_tensor_cannot_be_returned() -> None:
    class Sized(nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, Any]:
            return {"y": x, "count": 3}

    assert refusal(UnsupportedModel, Sized(), example_inputs=torch.ones(1, 3)) == (
        "the module returns 'count', which is no tensor; return tensors only"
    )


def test_torchscript_is_refused() -> None:
    with quiet():
        script = torch.jit.script(nn.Linear(3, 2))
    assert refusal(UnsupportedModel, script, example_inputs=torch.ones(1, 3)) == (
        "RecursiveScriptModule is TorchScript, which torch.export does not take; "
        "convert the nn.Module that it was made from"
    )


def test_an_exported_program_has_its_own_sizes(same: Any) -> None:
    module = torch_models.cnn()
    batch = torch.export.Dim("batch", min=1)
    program = torch.export.export(module, (torch.zeros(2, 3, 16, 16),), dynamic_shapes=({0: batch},))
    assert str(same(program).graph.inputs[0].shape) == "[N,3,16,16]"
    assert refusal(InvalidOption, program, dynamic_axes={}) == (
        "option 'dynamic_axes' is for modules; an exported program has its own open sizes"
    )
    assert refusal(InvalidOption, program, example_inputs=()) == "option 'example_inputs' must give 1 tensors: image"


@pytest.mark.parametrize("layer", [nn.Dropout(), nn.BatchNorm1d(4)], ids=["dropout", "batch_norm"])
def test_a_program_exported_in_training_mode_is_refused(layer: nn.Module) -> None:
    program = torch.export.export(nn.Sequential(nn.Linear(4, 4), layer).train(), (torch.ones(2, 4),))
    assert "the program was exported in training mode (aten." in refusal(UnsupportedModel, program)
