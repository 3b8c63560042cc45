"""Kernels and matrices as products of smaller ones, on plain arrays, and what is known of it afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from onnxpress.decomposition.forms import channel as channel
    from onnxpress.decomposition.forms import low_rank as low_rank
    from onnxpress.decomposition.forms import spatial as spatial
    from onnxpress.decomposition.forms import tucker2 as tucker2
    from onnxpress.decomposition.replaying import apply as apply

_FORMS = ("channel", "low_rank", "spatial", "tucker2")

__all__ = ["apply", *_FORMS]


def __getattr__(name: str) -> Any:
    if name == "apply":
        from onnxpress.decomposition.replaying import apply

        return apply
    if name in _FORMS:
        from onnxpress.decomposition import forms

        return getattr(forms, name)
    raise AttributeError(f"module 'onnxpress.decomposition' has no attribute {name!r}")
