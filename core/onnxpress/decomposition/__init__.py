"""Kernels and matrices as products of smaller ones, on plain arrays, and what is known of it afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxpress.decomposition.replaying import apply as apply

__all__ = ["apply"]


def __getattr__(name: str) -> Any:
    if name == "apply":
        from onnxpress.decomposition.replaying import apply

        return apply
    raise AttributeError(f"module 'onnxpress.decomposition' has no attribute {name!r}")
