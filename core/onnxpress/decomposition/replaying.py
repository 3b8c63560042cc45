"""Splitting the layers of a model as an info file says, without the search that led to it.

What comes out has the structure that weights fine-tuned elsewhere load into: by their names, as far as they are given.
Parts without weights get those that come closest to the layer's own.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.decomposition import info
from onnxpress.decomposition.forms import split, tucker2
from onnxpress.decomposition.layer_stacks import Layer, Stack
from onnxpress.decomposition.rewriting import bias_of, is_layer, kernel_of, layer_of, rewrite
from onnxpress.errors import InvalidData
from onnxpress.naming import Names, title

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating[Any]]

_CHECKED = ("operator", "weight_shape", "strides", "dilations")


def apply(
    stacks: str | Path | Sequence[Stack], model: ir.Model, *, weights: Mapping[str, Array] | None = None
) -> ir.Model:
    """Split the layers of a model as they were split before.

    A layer is found by its name, or that of its output, or else by the name of its weight, which is what PyTorch's
    exporter keeps of a module's name.

    Args:
        stacks: Path of an info file, of AMCT's too, or what `info.load` made of one.
        model: A model with these layers, still whole; it is not changed.
        weights: Numbers for initialisers of the result, by their names: those that the info file gives to the parts of
            a stack, as the layer arranges its weight, and any others.  Stacks of which none is among them are factored
            from the layer's weight.

    Returns:
        A new model.

    Raises:
        InvalidData: The info file is invalid; a layer is not in the model, or not as it was; a name in `weights` is not
            in the result, or its numbers have another shape.
        UnsupportedModel: A layer cannot be split: its weight is computed, say.
    """
    if isinstance(stacks, str | Path):
        stacks = info.load(Path(stacks))
    result = model.clone()
    replay(stacks, result, weights=weights or {})
    return result


def replay(
    stacks: Sequence[Stack], model: ir.Model, *, weights: Mapping[str, Array], strict: bool = True
) -> tuple[Stack, ...]:
    """The same on the model itself.

    Args:
        stacks: How layers are split.
        model: A model with these layers; if this raises, it is spoilt.
        weights: As for `apply`.
        strict: Whether names in `weights` that the result does not have are an error; otherwise they are passed over.

    Returns:
        The stacks, each with its layer as the model has it.
    """
    names, nodes = Names(model), _find(stacks, model)
    made = tuple(_replay(stack, node, weights, names) for stack, node in zip(stacks, nodes, strict=True))
    _load(weights, model, strict)
    return made


def _find(stacks: Sequence[Stack], model: ir.Model) -> list[ir.Node]:
    """The node of every layer."""
    nodes = [node for node in model.graph.all_nodes() if is_layer(node) and len(node.inputs) > 1]
    by_name, by_output = {node.name: node for node in nodes}, {node.outputs[0].name: node for node in nodes}
    by_weight: dict[str, list[ir.Node]] = {}
    for node in nodes:
        if node.inputs[1] is not None and node.inputs[1].name:
            by_weight.setdefault(node.inputs[1].name, []).append(node)
    found: dict[ir.Node, str] = {}
    for stack in stacks:
        name, weight = stack.layer.name, stack.layer.weight
        if stack.parts[-1].name in by_name:
            raise InvalidData(f"the model has no layer {name!r}; it is split already")
        users = [node for node in (by_name.get(name), by_output.get(name)) if node is not None]
        users = users[:1] or by_weight.get(weight, [])
        if len(users) != 1:
            raise InvalidData(f"the model has no layer {name!r}, and {len(users)} layers with a weight {weight!r}")
        if users[0] in found:
            raise InvalidData(f"layers {found[users[0]]!r} and {name!r} are one in the model, {title(users[0])!r}")
        found[users[0]] = name
    return list(found)


def _replay(stack: Stack, node: ir.Node, given: Mapping[str, Array], names: Names) -> Stack:
    layer = replace(layer_of(node), name=stack.layer.name)
    _check(stack.layer, layer)
    stack = replace(stack, layer=layer)
    kernel, needed = kernel_of(node), [part.weight for part in stack.parts] + [stack.bias] * stack.new_bias
    missing = [name for name in needed if name not in given]
    if len(missing) == len(needed):
        weights = _factored(stack, kernel)
    elif not missing:
        weights = [np.zeros(part.weight_shape, kernel.dtype) for part in stack.parts]  # `_load` has the numbers
    else:
        raise InvalidData(f"layer {layer.name!r}: some of its weights are given, and none called {missing[0]!r}")
    bias = None
    if stack.new_bias:
        old = bias_of(node)
        bias = np.zeros(len(kernel), kernel.dtype) if old is None else np.array(old)
    rewrite(node, stack, weights, names=names, bias=bias)
    return stack


def _check(recorded: Layer, layer: Layer) -> None:
    known = _CHECKED if recorded.pads is None else (*_CHECKED, "pads", "auto_pad")
    for field in known:
        was, now = (_shown(getattr(own, field)) for own in (recorded, layer))
        if was != now:
            raise InvalidData(f"layer {layer.name!r} has {field} {now} in the model and {was} in the info file")
    if recorded.pads is not None and bool(recorded.bias) != bool(layer.bias):
        added = [repr(own.bias) if own.bias else "nothing" for own in (layer, recorded)]
        hint = "was BatchNormalization folded in one of them alone?"
        raise InvalidData(f"layer {layer.name!r} adds {added[0]} in the model and {added[1]} in the info file; {hint}")


def _shown(value: object) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _factored(stack: Stack, kernel: Array) -> Sequence[Array]:
    try:
        if stack.form == "tucker2":
            return tucker2(kernel, (stack.ranks[0], stack.ranks[1]))
        return split(kernel, stack.ranks[0], first_axes=stack.first_axes)
    except InvalidData as error:
        raise InvalidData(f"layer {stack.layer.name!r}: {error}") from error


def _load(given: Mapping[str, Array], model: ir.Model, strict: bool) -> None:
    """Put numbers into initialisers."""
    known = {name: value for graph in model.graphs() for name, value in graph.initializers.items()}
    for name, numbers in given.items():
        if name not in known and not strict:
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise InvalidData(f"the model with its layers split has no weight {name!r}{hint}")
        old, new = known[name].const_value, ir.tensor(np.asarray(numbers), name=name)
        if old is None or (old.dtype, old.shape) != (new.dtype, new.shape):
            wanted = "" if old is None else f", not {old.dtype.name} of shape {list(old.shape.numpy())}"
            raise InvalidData(f"the weight {name!r} is {new.dtype.name} of shape {list(new.shape.numpy())}{wanted}")
        known[name].const_value = new
