"""Modules of every common kind give in onnxruntime what they give in PyTorch, for batches that were no example."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest
import torch
from torch import nn

import torch_models
from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress.kinds import WARNINGS_KEY
from onnxpress_frontends import torch_source

IMAGE = torch.zeros(1, 3, 16, 16)


def kinds(model: ir.Model) -> Counter[str]:
    return Counter(node.op_type for node in model.graph)


def test_a_cnn_keeps_its_layout_its_names_and_an_open_batch(same: Any) -> None:
    model = same(torch_models.cnn(), (IMAGE,))
    (image,), (scores,) = model.graph.inputs, model.graph.outputs
    assert (image.name, str(image.shape)) == ("image", "[N,3,16,16]")
    assert (scores.name, str(scores.shape)) == ("scores", "[N,5]")
    assert model.opset_imports == {"": 18}
    assert kinds(model)["Conv"] == 4 and not {"Transpose", "BatchNormalization"} & set(kinds(model))


def test_a_transformer_encoder(same: Any) -> None:
    model = same(torch_models.transformer(), (torch.zeros(1, 7, dtype=torch.int64),))
    assert kinds(model)["LayerNormalization"] == 3
    assert [str(value.shape) for value in (*model.graph.inputs, *model.graph.outputs)] == ["[N,7]", "[N,3]"]


@pytest.mark.long
def test_an_open_length_of_sequences(same: Any) -> None:
    axes = {"tokens": {0: "N", 1: "T"}}
    model = same(torch_models.transformer(), (torch.zeros(1, 1, dtype=torch.int64),), dynamic_axes=axes)
    assert str(model.graph.inputs[0].shape) == "[N,T]"


@pytest.mark.parametrize("layer", [nn.LSTM, pytest.param(nn.GRU, marks=pytest.mark.long)])
def test_a_recurrent_layer_is_one_node(same: Any, layer: Any) -> None:
    model = same(torch_models.randomized(layer(4, 5, batch_first=True, bidirectional=True)), torch.zeros(1, 7, 4))
    assert kinds(model)[layer.__name__] == 1 and "Loop" not in kinds(model)


@pytest.mark.long
def test_attention_with_a_mask(same: Any) -> None:
    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
            self.register_buffer("mask", torch.triu(torch.full((6, 6), float("-inf")), diagonal=1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.attention(x, x, x, attn_mask=self.mask, need_weights=False)[0]

    attention = Masked()
    torch_models.randomized(attention.attention)
    same(attention, torch.zeros(1, 6, 16))


@pytest.mark.long
def test_half_precision_stays_half() -> None:
    model = torch_source.load(nn.Linear(4, 3).half(), example_inputs=torch.ones(2, 4).half())
    assert model.graph.outputs[0].dtype == ir.DataType.FLOAT16


@pytest.mark.long
@pytest.mark.parametrize(
    "activation", [nn.GELU("tanh"), nn.SiLU(), nn.Hardswish(), nn.Softplus(), nn.PReLU(), nn.ELU()]
)
def test_activations(same: Any, activation: nn.Module) -> None:
    same(nn.Sequential(torch_models.randomized(nn.Linear(6, 6)), activation), torch.zeros(1, 6))


@pytest.mark.long
@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose2d(4, 4, 3, stride=2, output_padding=1),
        nn.GroupNorm(2, 4),
        nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.Upsample(scale_factor=2),
        nn.PixelShuffle(2),
        nn.AvgPool2d(3, padding=1, ceil_mode=True),
        nn.LPPool2d(2, 2),
        nn.ZeroPad2d(2),
        nn.ReflectionPad2d(2),
        nn.Softmax(1),
        nn.Conv2d(4, 6, 3, padding="same", dilation=2, groups=2, padding_mode="circular"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_layers_of_images(same: Any, layer: nn.Module) -> None:
    same(torch_models.randomized(layer), torch.zeros(1, 4, 9, 9))


@pytest.mark.long
def test_a_decoder_and_stacked_recurrence(same: Any) -> None:
    decoder = nn.TransformerDecoderLayer(16, 2, 32, batch_first=True)
    same(torch_models.randomized(decoder), (torch.zeros(1, 5, 16), torch.zeros(1, 7, 16)))
    same(torch_models.randomized(nn.LSTM(4, 5, num_layers=2, batch_first=True)), torch.zeros(1, 7, 4))


@pytest.mark.long
def test_branches_on_values_by_cond(same: Any) -> None:
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cond(x.sum() > 20, lambda x: x * 2, lambda x: x - 1, (x,))

    assert kinds(same(Branching(), torch.zeros(1, 3)))["If"] == 1


def test_weights_are_looked_at_and_cannot_be_written() -> None:
    module = nn.Linear(200, 100)
    model = torch_source.load(module, example_inputs=torch.zeros(1, 200))
    weight = next(value.const_value for value in model.graph.initializers.values() if value.shape == (100, 200))
    assert weight is not None and np.shares_memory(weight.numpy(), module.weight.detach().numpy())
    with pytest.raises(ValueError, match="read-only"):
        weight.numpy()[0] = 0


@pytest.mark.long
def test_a_weight_and_an_input_can_be_outputs(same: Any) -> None:
    class Showing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.arange(1.0, 4))

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return self.weight, x, x, x + self.weight

    model = same(Showing(), torch.zeros(1, 3))
    assert [value.name for value in model.graph.outputs] == ["output_0", "output_1", "output_2", "output_3"]


@pytest.mark.long
def test_every_process_gives_the_same_bytes(tmp_path: Path) -> None:
    script = (
        "import sys, torch_models as t, onnxpress\n"
        "onnxpress.convert(t.transformer(), out=sys.argv[1], example_inputs=t.torch.zeros(1, 7, dtype=t.torch.int64))"
    )
    tests = Path(torch_models.__file__).parent
    for name in ("a.onnx", "b.onnx"):
        subprocess.run([sys.executable, "-c", script, tmp_path / name], check=True, cwd=tests, capture_output=True)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_nothing_of_the_machine_gets_into_the_model() -> None:
    content = ir.serde.serialize_model(torch_models.onnx_cnn()).SerializeToString()
    assert b".py" not in content and b"torch" not in content.replace(b"pytorch", b"", 1)


def test_an_operator_without_an_onnx_form_is_named() -> None:
    class Decomposing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.svd(x)[0]

    with pytest.raises(UnsupportedModel) as caught:
        torch_source.load(Decomposing(), example_inputs=torch.ones(2, 3))
    assert str(caught.value) == (
        "Decomposing cannot be translated; torch.onnx says: No ONNX function found for "
        "<OpOverload(op='aten._linalg_svd', overload='default')>. "
        "Failure message: No decompositions registered for the real-valued input (node %_linalg_svd)"
    )


@pytest.mark.long
def test_a_translation_that_is_no_graph_is_refused() -> None:
    """torch.onnx leaves the projection of an LSTM out."""
    with pytest.raises(InvalidModel) as caught:
        torch_source.load(nn.LSTM(4, 5, proj_size=3, batch_first=True), example_inputs=torch.zeros(1, 7, 4))
    assert str(caught.value).startswith("torch.onnx makes an invalid graph of LSTM: shape inference failed: ")


@pytest.mark.long
def test_a_buffer_that_forward_writes_is_a_warning(same: Any) -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.full((1,), 4.0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return x + self.calls

    module = Counting()
    model = same(module, torch.zeros(1, 3))
    assert model.meta[WARNINGS_KEY] == ["Counting writes into 'calls'; every run starts from the values it has now"]
    assert module.calls == 4
