"""An exported program, the names of its ends, and how to call it: tensors by name in, tensors by name out.

Inputs are called after the arguments of ``forward``, as `torch.export` does: an argument's name, and below it the keys
and positions of what it holds (``batch_tokens``, ``states_0``).  Outputs are called after the keys that are returned;
one without keys is ``output``, several are ``output_0``, ``output_1`` ...
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from onnxpress.errors import InvalidOption, UnsupportedModel
from onnxpress_frontends.torch_import import import_torch

if TYPE_CHECKING:
    import torch

Tensors = Mapping[str, "torch.Tensor"]
Axes = Mapping[str, Mapping[int, str | None]]


@dataclass(frozen=True, kw_only=True)
class Captured:
    """A source as `torch.export` sees it.

    Attributes:
        title: What messages call it.
        program: The exported program.
        module: The module that it was exported from; None for a program from elsewhere.
        inputs: Names of the tensors it takes, in order.
        outputs: Names of the tensors it returns, in order.
        open_axes: Names that the user gave to axes of inputs that stay open.
        examples: Inputs to check the conversion with; empty when there are none.
    """

    title: str
    program: torch.export.ExportedProgram
    module: torch.nn.Module | None = None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    open_axes: Axes = field(default_factory=dict)
    examples: Tensors = field(default_factory=dict)

    def ports(self) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """Inputs and outputs by name: tensors without values, whose open sizes are symbols."""
        nodes = {node.name: node.meta["val"] for node in self.program.graph.nodes if "val" in node.meta}
        inputs, outputs = (
            [nodes[end.name] for end in ends if _is_tensor(end)]
            for ends in (_user_inputs(self.program), _user_outputs(self.program))
        )
        return dict(zip(self.inputs, inputs, strict=True)), dict(zip(self.outputs, outputs, strict=True))

    def arguments(self, feeds: Tensors) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments for a call; what is no tensor is as it was when the program was exported."""
        from torch.utils import _pytree

        names = iter(self.inputs)
        leaves = [feeds[next(names)] if _is_tensor(end) else end.value for end in _user_inputs(self.program)]
        args, kwargs = _pytree.tree_unflatten(leaves, self.program.call_spec.in_spec)
        return args, kwargs

    def results(self, returned: Any) -> dict[str, torch.Tensor]:
        """The tensors in what a call returned, by name."""
        from torch.utils import _pytree

        torch = import_torch()
        leaves = [leaf for leaf in _pytree.tree_leaves(returned) if isinstance(leaf, torch.Tensor)]
        return dict(zip(self.outputs, leaves, strict=True))


def input_names(program: torch.export.ExportedProgram, given: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the tensors that a program takes.

    Raises:
        InvalidOption: Their number is not that of the names given, or a name is given twice.
    """
    return _named("input_names", [end.name for end in _user_inputs(program) if _is_tensor(end)], given)


def output_names(
    program: torch.export.ExportedProgram, given: Sequence[str] | None, taken: Iterable[str]
) -> tuple[str, ...]:
    """Names of the tensors that a program returns; one that is also an input's gets ``_out``.

    Raises:
        InvalidOption: Their number is not that of the names given, or a name is given twice.
        UnsupportedModel: It returns something else than tensors.
    """
    ends = _user_outputs(program)
    paths = _paths(len(ends), program.call_spec.out_spec)
    for end, path in zip(ends, paths, strict=True):
        if not _is_tensor(end) and getattr(end, "value", ...) is not None:
            raise UnsupportedModel(f"the module returns {path!r}, which is no tensor; return tensors only")
    taken = set(taken)
    found = [path for end, path in zip(ends, paths, strict=True) if _is_tensor(end)]
    return _named("output_names", [f"{name}_out" if name in taken else name for name in found], given)


def join(path: Iterable[Any]) -> str:
    """The keys and positions that lead to a tensor, as one name."""
    parts = (getattr(step, "key", getattr(step, "idx", getattr(step, "name", ""))) for step in path)
    return "_".join(map(str, parts))


def _paths(count: int, spec: Any) -> list[str]:
    from torch.utils import _pytree

    tree = _pytree.tree_unflatten(list(range(count)), spec)
    paths = [path for path, _ in _pytree.tree_flatten_with_path(tree)[0]]
    return [join(path) if path and not hasattr(path[0], "idx") else f"output_{join(path)}".strip("_") for path in paths]


def _named(option: str, found: Sequence[str], given: Sequence[str] | None) -> tuple[str, ...]:
    if given is None:
        return tuple(found)
    if len(given) != len(found) or len(set(given)) != len(given):
        raise InvalidOption(f"option {option!r} must give {len(found)} different names, for {', '.join(found)}")
    return tuple(given)


def _user_inputs(program: torch.export.ExportedProgram) -> list[Any]:
    return [spec.arg for spec in program.graph_signature.input_specs if spec.kind.name == "USER_INPUT"]


def _user_outputs(program: torch.export.ExportedProgram) -> list[Any]:
    return [spec.arg for spec in program.graph_signature.output_specs if spec.kind.name == "USER_OUTPUT"]


def _is_tensor(end: Any) -> bool:
    from torch.export.graph_signature import TensorArgument

    return isinstance(end, TensorArgument)
