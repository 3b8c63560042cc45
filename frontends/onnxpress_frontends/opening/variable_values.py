"""The variables that an output needs get their values from a checkpoint; no initialiser and no restore operation runs.

A variable of TensorFlow 1 proper (``VariableV2``, a reference) becomes a weight: whoever took the reference takes the
value.  A resource (``VarHandleOp``) becomes a `tf.Variable`, which the function captures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from onnxpress.errors import InvalidModel, UnsupportedModel
from onnxpress_frontends.opening.checkpoints import Checkpoint
from onnxpress_frontends.opening.detached_weights import LARGEST_CONSTANT, fix, stand_in
from onnxpress_frontends.opening.saver_keys import VARIABLES, Key
from onnxpress_frontends.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    from onnxpress.kinds import Array

_REFERENCE_OPS = {
    f"Ref{name}": name for name in ("Identity", "Switch", "Merge", "Enter", "Exit", "NextIteration", "Select")
}


class Values(Protocol):
    """Where the values of variables are."""

    def read(self, nodes: Mapping[str, Any]) -> dict[str, Array]:
        """The values of variables, by node name."""


class CheckpointValues:
    """Values from a checkpoint.

    Args:
        prefix: The checkpoint; it is opened when the first value is asked for.
        keys: Variables of the graph to their keys in it.
    """

    def __init__(self, prefix: str, keys: Mapping[str, Key]) -> None:
        self._prefix = prefix
        self._keys = keys

    def read(self, nodes: Mapping[str, Any]) -> dict[str, Array]:
        """The values of variables, by node name.

        Raises:
            InvalidModel: The checkpoint lacks one, or has it in another shape.
        """
        if not nodes:
            return {}
        checkpoint = Checkpoint(self._prefix)
        keys = {name: self._keys[name] for name in nodes}
        shapes, title = checkpoint.shapes, self._prefix
        missing = sorted({key.name for key in keys.values() if key.name not in shapes})
        if missing:
            raise InvalidModel(
                f"checkpoint {title} lacks {len(missing)} of the {len(nodes)} variables that the outputs need: "
                f"{_listed(missing)}; it has {_listed(sorted(shapes))}; give the checkpoint that belongs to this graph"
            )
        for name, node in nodes.items():
            expected, found = _declared(node), keys[name].shape(shapes[keys[name].name])
            if expected is not None and not _fits(expected, found):
                raise InvalidModel(
                    f"variable {name!r} has shape {_shown(expected)} in the graph and {_shown(found)} in checkpoint "
                    f"{title}; give the checkpoint that belongs to this graph"
                )
        arrays = {name: key.cut(checkpoint.read(key.name)) for name, key in keys.items()}
        for name, array in arrays.items():
            if import_tensorflow().as_dtype(array.dtype).as_datatype_enum != nodes[name].attr["dtype"].type:
                raise InvalidModel(
                    f"variable {name!r} has another type than in checkpoint {title}, where it is {array.dtype.name}; "
                    "give the checkpoint that belongs to this graph"
                )
        return arrays


class NoValues:
    """What a bare graph has.

    Args:
        source: What messages call it.
    """

    def __init__(self, source: str) -> None:
        self._source = source

    def read(self, nodes: Mapping[str, Any]) -> dict[str, Array]:
        """Nothing.

        Raises:
            UnsupportedModel: There are variables.
        """
        if nodes:
            raise UnsupportedModel(
                f"{self._source} is not frozen: it holds {len(nodes)} variables without values, "
                f"first {next(iter(nodes))!r}; give its checkpoint (.meta with .index and .data) or SavedModel"
            )
        return {}


def give_values(graph: Any, values: Values) -> tuple[dict[str, Array], dict[str, Any]]:
    """Take the variables out of a pruned `GraphDef`, in place.

    Returns:
        Weights, and `tf.Variable` objects, by the name of the node that stands for each.
    """
    tf = import_tensorflow()
    nodes = {node.name: node for node in graph.node if node.op in VARIABLES}
    arrays = values.read(nodes)
    weights: dict[str, Array] = {}
    variables: dict[str, Any] = {}
    for name, node in nodes.items():
        array = arrays.pop(name)
        if node.op == "VarHandleOp":
            variables[name] = tf.Variable(array, trainable=False)
        elif array.size > LARGEST_CONSTANT:
            stand_in(node, node.attr["dtype"].type, array.shape)
            weights[name] = array
        else:
            fix(node, array)
    for node in graph.node:
        node.op = _REFERENCE_OPS.get(node.op, node.op)
    return weights, variables


def _declared(node: Any) -> tuple[int, ...] | None:
    shape = node.attr["shape"].shape
    return None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)


def _fits(declared: tuple[int, ...], found: tuple[int, ...]) -> bool:
    """Early graphs say () where they mean that the shape is not known."""
    pairs = zip(declared, found, strict=False)
    return not declared or (len(declared) == len(found) and all(size in (-1, actual) for size, actual in pairs))


def _shown(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "()"


def _listed(names: list[str]) -> str:
    shown = ", ".join(map(repr, names[:4])) or "nothing"
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown
