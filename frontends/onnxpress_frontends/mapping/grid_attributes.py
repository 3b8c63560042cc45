"""How a grid travels: in attributes that TensorFlow keeps, for they begin with an underscore, and tf2onnx copies."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np

from onnxpress_frontends.mapping.quantization_grids import CentredGrids, Grid

if TYPE_CHECKING:
    import onnx_ir as ir

_PREFIX = "_grid_"
AXIS = _PREFIX + "axis"
"""The attribute that changes when the tensor is transposed."""


def write(node: Any, grid: Grid | CentredGrids) -> None:
    """Put `grid` into the attributes of a `NodeDef`."""
    for field in fields(grid):
        value = getattr(grid, field.name)
        if value is None:
            continue
        attribute = node.attr[_PREFIX + field.name]
        if isinstance(value, str):
            attribute.s = value.encode()
        elif isinstance(value, int):
            attribute.i = int(value)
        elif value.dtype == np.float32:
            attribute.list.f.extend(value.reshape(-1).tolist())
        else:
            attribute.list.i.extend(value.reshape(-1).tolist())


def has_grid(node: Any) -> bool:
    """Whether a `NodeDef` carries a grid already."""
    return any(name.startswith(_PREFIX) for name in node.attr)


def read(node: ir.Node) -> Grid | CentredGrids | None:
    """The grid in the attributes of a converted node, None when there is none."""
    found = {
        name.removeprefix(_PREFIX): attribute.value
        for name, attribute in node.attributes.items()
        if name.startswith(_PREFIX)
    }
    if not found:
        return None
    if "bits" in found:
        return CentredGrids(**found)
    shape = () if found.get("axis") is None else (-1,)
    arrays = {
        name: np.array(value, np.int64 if name == "zero_point" else np.float32).reshape(shape)
        for name, value in found.items()
        if not isinstance(value, str | int)
    }
    return Grid(**{**found, **arrays})
