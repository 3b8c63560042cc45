"""A module as it is used after training, and as it was found afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from onnxpress_frontends.torch_import import import_torch, quiet

if TYPE_CHECKING:
    import torch


@contextlib.contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Put `module` into evaluation mode, without gradients; each of its modules gets its own mode back."""
    torch = import_torch()
    modes = [(each, each.training) for each in module.modules()]
    try:
        for each, _ in modes:
            each.training = False
        with torch.no_grad(), quiet():
            yield
    finally:
        for each, mode in modes:
            each.training = mode
