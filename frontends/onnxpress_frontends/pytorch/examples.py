"""The example inputs a module is exported with: arguments for one call, and the axes of them that stay open.

`torch.export` runs the module once and takes a size of 1 for a fact: what it broadcasts then is broadcast for ever.  So
an example is made twice as long along every open axis of size 1 before the module is run.
"""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidOption
from onnxpress_frontends.finishing.dimensions import BATCH
from onnxpress_frontends.pytorch.captured import Axes, join
from onnxpress_frontends.torch_import import import_torch

if TYPE_CHECKING:
    import torch

_FORM = "give tensors: example_inputs=(image,), or by argument name, example_inputs={'image': image}"


@dataclass(frozen=True, kw_only=True)
class Examples:
    """Arguments for one call of a module.

    Attributes:
        signature: Of the module's ``forward``.
        arguments: What it is called with, by parameter, as `torch.export` orders dynamic shapes.
    """

    signature: inspect.Signature
    arguments: dict[str, Any]

    @property
    def call(self) -> inspect.BoundArguments:
        """Positional and keyword arguments."""
        return inspect.BoundArguments(self.signature, OrderedDict(self.arguments))

    def tensors(self) -> dict[str, torch.Tensor]:
        """The tensors among them, by the name of the input that they become."""
        return named_tensors(self.arguments)

    def lengthened(self, axes: Axes) -> Examples:
        """The same, with every open axis of size 1 twice as long."""
        torch = import_torch()

        def lengthen(name: str, leaf: Any) -> Any:
            for axis in axes.get(name, ()):
                leaf = torch.cat([leaf, leaf], dim=axis) if leaf.shape[axis] == 1 else leaf
            return leaf

        return replace(self, arguments=self._map(lengthen))

    def dynamic_shapes(self, axes: Axes) -> Any:
        """Which axes stay open, as `torch.export.export` takes it."""
        dynamic = import_torch().export.Dim.DYNAMIC
        return self._map(lambda name, _: dict.fromkeys(axes[name], dynamic) if name in axes else None)

    def _map(self, function: Callable[[str, Any], Any]) -> Any:
        from torch.utils import _pytree

        return _pytree.tree_map_with_path(lambda path, leaf: function(join(path), leaf), self.arguments)


def read_examples(module: torch.nn.Module, given: Any) -> Examples:
    """Bind what the user gave to the parameters of ``forward``; numpy arrays become tensors.

    Args:
        module: The module.
        given: A tensor, a tuple or list of positional arguments, or a dictionary of keyword arguments.

    Raises:
        InvalidOption: There are no tensors in it, or ``forward`` does not take it.
    """
    if given is None:
        raise InvalidOption(f"a torch.nn.Module is exported by running it once on example inputs; {_FORM}")
    given = _with_tensors(given)
    args = () if isinstance(given, Mapping) else tuple(given) if isinstance(given, (tuple, list)) else (given,)
    kwargs = dict(given) if isinstance(given, Mapping) else {}
    signature = inspect.signature(module.forward)
    try:
        arguments = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        name = type(module).__name__
        raise InvalidOption(f"option 'example_inputs' does not fit {name}.forward{signature}: {error}") from error
    examples = Examples(signature=signature, arguments=dict(arguments))
    if not examples.tensors():
        raise InvalidOption(f"option 'example_inputs' holds no tensor; {_FORM}")
    return examples


def open_axes(tensors: Mapping[str, torch.Tensor], given: Any) -> Axes:
    """The axes of each input that stay open: those given, or the first of every input that is as long as the first's.

    Raises:
        InvalidOption: `given` is no dictionary of input names to axes, or names an input or axis that does not exist.
    """
    if given is None:
        batch = next((tensor.shape[0] for tensor in tensors.values() if tensor.ndim), None)
        return {name: {0: BATCH} for name, tensor in tensors.items() if tensor.ndim and tensor.shape[0] == batch}
    if not isinstance(given, Mapping) or not all(isinstance(axes, (Mapping, list, tuple)) for axes in given.values()):
        raise InvalidOption(f"option 'dynamic_axes' must be like {{'tokens': {{0: 'N', 1: 'T'}}}}, not {given!r}")
    axes = {name: dict(each) if isinstance(each, Mapping) else dict.fromkeys(each) for name, each in given.items()}
    for name, each in axes.items():
        if name not in tensors:
            raise InvalidOption(f"option 'dynamic_axes' names no input {name!r}; the inputs: {', '.join(tensors)}")
        if wrong := [axis for axis in each if axis not in range(tensors[name].ndim)]:
            raise InvalidOption(
                f"option 'dynamic_axes': input {name!r} has {tensors[name].ndim} axes and no axis {wrong[0]!r}"
            )
    return axes


def named_tensors(tree: Any) -> dict[str, torch.Tensor]:
    """The tensors in a tree of containers, numpy arrays too, by the keys and positions that lead to them."""
    from torch.utils import _pytree

    torch = import_torch()
    leaves = _pytree.tree_flatten_with_path(_with_tensors(tree))[0]
    return {join(path): leaf for path, leaf in leaves if isinstance(leaf, torch.Tensor)}


def _with_tensors(given: Any) -> Any:
    import numpy as np
    from torch.utils import _pytree

    torch = import_torch()
    return _pytree.tree_map(lambda leaf: torch.from_numpy(leaf) if isinstance(leaf, np.ndarray) else leaf, given)
