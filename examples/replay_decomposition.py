"""Tune the decomposed layers of a PyTorch network in PyTorch, and copy what was learnt into an ONNX file.

What `decompose` did is in ``small.decomposition.json``: the parts of each layer, with their shapes, strides, padding,
and the names of their weights in ``small.onnx``.  It takes `json` to read it, and `torch` to do the same to a module.
The info file of AMCT's ``auto_decomposition`` is read as well.

    python examples/replay_decomposition.py [FOLDER]
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

import onnxpress
from onnxpress import model_files
from onnxpress.decomposition import apply
from onnxpress.runtime import Session

try:
    import torch
    from torch import nn
    from torch.fx.experimental.optimization import fuse
except ImportError as error:
    raise SystemExit(f"this example needs PyTorch ({error}): pip install 'onnxpress[torch]'") from error

STEPS, RATE, BATCH = 20, 3e-5, 8


def network() -> nn.Module:
    """A network of random weights, its BatchNormalization fused as the export to ONNX fuses it."""
    torch.manual_seed(0)
    stages = [
        nn.Sequential(nn.Conv2d(inputs, 64, 3, stride=stride, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
        for inputs, stride in ((3, 1), (64, 2), (64, 1), (64, 2))
    ]
    made = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 256), nn.Linear(256, 10))
    with torch.no_grad():
        made.train()(torch.randn(64, 3, 32, 32))  # means and variances to fuse
    fused: nn.Module = fuse(made.eval())
    return fused


def layers_of(document: Any, module: nn.Module) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Every layer in an info file: the module's name, and the parts that it becomes."""
    if isinstance(document, dict):
        for layer in document["layers"]:
            yield layer["weight"].removesuffix(".weight"), layer["parts"]
    else:
        for layer in document:
            name = layer["ori_layer_info"]["name"]
            roles = layer["decom_nodes"].items()
            own = module.get_submodule(name)
            yield name, [_amct_part(own, name, role, node["weight_shape"]) for role, node in roles]


def _amct_part(own: Any, name: str, role: str, shape: list[int]) -> dict[str, Any]:
    """AMCT leaves out what follows from the layer: an axis has its stride and padding where it has its kernel."""
    return {
        "weight": f"{name}/decom_{role}/weight",
        "bias": f"{name}.bias" if role == "last" and own.bias is not None else "",
        "weight_shape": shape,
        "strides": [stride if size > 1 else 1 for size, stride in zip(shape[2:], own.stride, strict=True)],
        "pads": [pad if size > 1 else 0 for size, pad in zip(shape[2:], own.padding, strict=True)],
        "dilations": [1, 1],
    }


def part_of(part: dict[str, Any]) -> nn.Conv2d | nn.Linear:
    """A part as a module whose weights are still to come."""
    outputs, inputs, *kernel = part["weight_shape"]
    if not kernel:
        return nn.Linear(inputs, outputs, bias=bool(part["bias"]))
    return nn.Conv2d(
        inputs,
        outputs,
        tuple(kernel),
        stride=part["strides"],
        padding=part["pads"][: len(kernel)],  # those at the begin; PyTorch pads the end alike
        dilation=part["dilations"],
        bias=bool(part["bias"]),
    )


def replay(document: Any, module: nn.Module) -> dict[str, nn.Parameter]:
    """Put stacks in the place of layers; all parameters of `module` by the names that they have in ONNX."""
    parameters = dict(module.named_parameters())
    for name, parts in layers_of(document, module):
        stack = [part_of(part) for part in parts]
        module.set_submodule(name, nn.Sequential(*stack))
        for key in ("weight", "bias"):
            parameters.pop(f"{name}.{key}", None)
        for part, made in zip(parts, stack, strict=True):
            parameters |= {part[key]: value for key, value in made.named_parameters()}
    return parameters


def load(parameters: dict[str, nn.Parameter], path: Path) -> None:
    """Copy the numbers of an ONNX file."""
    numbers = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(torch.tensor(numbers[name]))


def tune(student: nn.Module, teacher: nn.Module, images: torch.Tensor) -> list[float]:
    """Train `student` to give what `teacher` gives; the loss before every step, and after the last."""
    optimizer = torch.optim.Adam(student.parameters(), RATE)
    wanted, losses = teacher(images).detach(), []
    for _ in range(STEPS):
        loss = nn.functional.mse_loss(student(images), wanted)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [*losses, nn.functional.mse_loss(student(images), wanted).item()]


def difference(module: nn.Module, model: ir.Model, images: torch.Tensor) -> float:
    """The largest difference of their outputs, over the largest output."""
    with torch.no_grad():
        wanted = module(images).numpy()
    (given,) = Session(model).run({model.graph.inputs[0].name or "": images.numpy()}).values()
    return float(abs(given - wanted).max() / abs(wanted).max())


def main(out: Path) -> list[float]:
    """Decompose, replay, tune, return; print what that gave."""
    teacher, images = network(), torch.randn(BATCH, 3, 32, 32)
    whole = onnxpress.convert(teacher, example_inputs=(images,)).model
    halved = ("decompose", {"policy": "ratio", "ratio": 0.5, "max_error": 1.0})  # random weights: nothing is redundant
    small = onnxpress.compress(whole, recipe=[halved], out=out / "small.onnx").model

    student = copy.deepcopy(teacher)
    info = out / "small.decomposition.json"
    parameters = replay(json.loads(info.read_text(encoding="utf-8")), student)
    load(parameters, out / "small.onnx")
    for name, stack in student.named_modules():
        if isinstance(stack, nn.Sequential):
            print(f"{name}:", *stack, sep="\n    ")
    print(f"PyTorch differs from ONNX by {difference(student, small, images):.1e}")

    losses = tune(student, teacher, images)
    print(f"loss {losses[0]:.2e}, after a step {losses[1]:.2e}, after {STEPS} {losses[-1]:.2e}")

    weights = {name: parameter.detach().numpy() for name, parameter in parameters.items()}
    tuned = apply(info, whole, weights=weights)
    model_files.save(tuned, out / "tuned.onnx")
    print(f"tuned.onnx differs from PyTorch by {difference(student, tuned, images):.1e}")
    return losses


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out/replay_decomposition"))
