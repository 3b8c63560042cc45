"""Small PyTorch networks with weights of their own, and what the frontend makes of them.

`cnn` and `transformer` are what people bring: images in NCHW with BatchNorm, a residual block and a pooled head; tokens
through an embedding, self-attention with a mask-free encoder layer, and a mean over time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from onnxpress_frontends import torch_source

if TYPE_CHECKING:
    import onnx_ir as ir


class Residual(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))) + x)


class Cnn(nn.Module):
    """Input ``image`` [N, 3, 16, 16], output ``scores`` [N, 5]."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
        self.block = Residual(8)
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8), nn.ReLU6())
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))

    def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scores": self.head(self.depthwise(self.block(self.stem(image))))}


class Transformer(nn.Module):
    """Input ``tokens`` [N, T] of int64 below 20, output ``scores`` [N, 3]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 16)
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True)
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16, 3)

    def forward(self, tokens: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scores": self.head(self.norm(self.encoder(self.embedding(tokens))).mean(1))}


def cnn() -> Cnn:
    """A CNN whose weights and statistics are all different from each other, in evaluation mode."""
    return randomized(Cnn())


def transformer() -> Transformer:
    """A transformer encoder whose weights are all different from each other, in evaluation mode."""
    return randomized(Transformer())


def onnx_cnn() -> ir.Model:
    """`cnn` in ONNX: ``image`` [N, 3, 16, 16] to ``scores`` [N, 5]."""
    return torch_source.load(cnn(), example_inputs=(torch.zeros(1, 3, 16, 16),))


def onnx_transformer(length: int | None = 7) -> ir.Model:
    """`transformer` in ONNX: ``tokens`` [N, `length`] to ``scores`` [N, 3]; None leaves the length open, as ``T``."""
    axes = {"tokens": {0: "N", 1: "T"}} if length is None else None
    tokens = torch.zeros(1, length or 7, dtype=torch.int64)
    return torch_source.load(transformer(), example_inputs=(tokens,), dynamic_axes=axes)


def randomized(module: Any) -> Any:
    """Give `module` the same random weights in every process, and statistics as after training."""
    generator = torch.Generator().manual_seed(0)
    for tensor in module.state_dict().values():
        if tensor.is_floating_point():
            width = 1.7 * tensor[0].numel() ** -0.5 if tensor.ndim > 1 else 1.0
            tensor.uniform_(-width if tensor.ndim > 1 else 0.2, width, generator=generator)
    return module.eval()
