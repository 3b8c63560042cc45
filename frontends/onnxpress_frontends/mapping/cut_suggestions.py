"""The part of a graph that can be converted when some of it cannot: before the foreign operators, or after them.

*Before*: the tensors that depend on an input and on no foreign operator, and that a foreign one, or what depends on
one, takes: as outputs.  *After*: the tensors that the outputs need and that come out of the foreign part: as inputs.
Where such a tensor cannot be an input (a string, a handle, an unknown rank), what takes it counts as foreign too, until
the border is made of tensors that can; and where all of that comes together in one node before the first layer, that
node is the border.  A part is worth a word if it holds a layer with weights.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from onnxpress_frontends.opening.graphs.feeding import tensor_specs
from onnxpress_frontends.opening.graphs.names import tensor_name
from onnxpress_frontends.reachability import source_of

if TYPE_CHECKING:
    from onnxpress_frontends.mapping.freezing import Frozen
    from onnxpress_frontends.opening.named_function import NamedFunction

_NAMES = """
    Conv2D Conv3D DepthwiseConv2dNative Conv2DBackpropInput Conv3DBackpropInputV2
    MatMul BatchMatMul BatchMatMulV2 BatchMatMulV3 Einsum
"""
_LAYERS = frozenset(_NAMES.split())
_OPENING = frozenset(("Switch", "RefSwitch", "Enter", "RefEnter"))
_CLOSING = frozenset(("Merge", "RefMerge", "Exit", "RefExit"))
"""Between the two a tensor is alive in one branch or round only, and can be neither input nor output."""

_SHAPES = frozenset(("Shape", "ShapeN", "Size", "Rank"))

_MOST = 8
"""Names of a suggestion; with more it is no help."""


def suggest_cuts(source: NamedFunction, frozen: Frozen, foreign: Collection[str]) -> list[str]:
    """What can be converted all the same, e.g. ``the part after them with --inputs ids --outputs output``.

    Args:
        source: The function, for the names that the user knows.
        frozen: Its graph.
        foreign: The nodes to avoid.
    """
    graph = _Graph(frozen, source.title)
    foreign = graph.with_regions(foreign)
    names = {end.tensor.name: end.name for end in (*source.inputs, *source.outputs)}
    before, (starts, after) = graph.ends_before(foreign), graph.ends_after(foreign)
    given = f"--inputs {_listed(starts, names)} --outputs {_listed(after, names)}"
    parts = {
        f"the part before them with --outputs {_listed(before, names)}": (frozen.inputs, before),
        f"the part after them with {given}": (starts, after),
    }
    layers = {text: graph.layers(*ends) for text, ends in parts.items() if all(0 < len(end) <= _MOST for end in ends)}
    return sorted((text for text in layers if layers[text]), key=lambda text: -layers[text])


def _listed(tensors: Iterable[str], names: Mapping[str, str]) -> str:
    """What the user types; ``node:0`` where ``node`` is the name of another input or output."""
    taken = names.values()
    short = {tensor: tensor.removesuffix(":0") for tensor in tensors}
    return ",".join(names.get(tensor, tensor if short[tensor] in taken else short[tensor]) for tensor in short)


class _Graph:
    def __init__(self, frozen: Frozen, title: str) -> None:
        self._frozen = frozen
        self._nodes = {node.name: node for node in frozen.graph.node}
        self._sources = {
            node.name: [tensor_name(name) for name in node.input if not name.startswith("^")]
            for node in frozen.graph.node
        }
        self._users: dict[str, list[tuple[str, str]]] = {}
        for user, tensors in self._sources.items():
            for tensor in tensors:
                self._users.setdefault(source_of(tensor), []).append((tensor, user))
        used = (tensor for tensors in self._sources.values() for tensor in tensors)
        tensors = list(dict.fromkeys((*used, *frozen.inputs, *frozen.outputs)))
        self._specs = dict(zip(tensors, tensor_specs(frozen.graph, tensors, title), strict=True))
        branching = [name for name, node in self._nodes.items() if node.op in _OPENING]
        self._inside = self._spread(branching, lambda _, user: self._nodes[user].op not in _CLOSING)

    def with_regions(self, nodes: Collection[str]) -> Collection[str]:
        """`nodes`, and all that is inside branches and loops if one of them is."""
        return nodes if self._inside.keys().isdisjoint(nodes) else {**dict.fromkeys(nodes), **self._inside}

    def ends_before(self, foreign: Collection[str]) -> list[str]:
        """The last tensors that depend on the values of an input and on no foreign node."""
        lost = self._spread(foreign, lambda *_: True)
        starts = [source_of(name) for name in self._frozen.inputs]
        fed = self._spread(starts, lambda _, user: self._nodes[user].op not in _SHAPES)
        open_to_all = fed.keys() - lost.keys() - self._inside.keys()
        taken = (tensor for name in self._nodes if name in lost for tensor in self._sources[name])
        return [
            tensor
            for tensor in dict.fromkeys((*taken, *self._frozen.outputs))
            if source_of(tensor) in open_to_all and tensor not in self._frozen.inputs and self._is_numeric(tensor)
        ]

    def ends_after(self, foreign: Collection[str]) -> tuple[list[str], list[str]]:
        """The tensors at which the graph can be entered behind all foreign nodes, and the outputs they lead to."""
        strings = [source_of(name) for name in self._frozen.inputs if not self._is_numeric(name)]
        lost = self._spread([*foreign, *strings], lambda tensor, _: not self._can_be_fed(tensor))
        ends = [tensor for tensor in self._frozen.outputs if source_of(tensor) not in lost]
        starts = self._entered(ends, lost)
        if len(starts) > 1:
            following = self._spread(map(source_of, starts), lambda _, user: self._nodes[user].op not in _LAYERS)
            starts = next(filter(None, (self._gate(name, ends, lost) for name in following)), starts)
        kept = self._upstream(ends, {source_of(start) for start in starts})
        return [*(name for name in self._frozen.inputs if source_of(name) in kept), *starts], ends

    def layers(self, starts: Iterable[str], ends: Iterable[str]) -> int:
        """How many layers with weights there are between two sets of tensors."""
        return sum(self._nodes[name].op in _LAYERS for name in self._upstream(ends, {source_of(s) for s in starts}))

    def _entered(self, ends: Iterable[str], nodes: Collection[str]) -> list[str]:
        """The tensors that come out of `nodes` on the way to `ends`."""
        kept = self._upstream(ends, nodes)
        taken = (tensor for name in self._nodes if name in kept for tensor in self._sources[name])
        return [tensor for tensor in dict.fromkeys(taken) if source_of(tensor) in nodes]

    def _gate(self, name: str, ends: Sequence[str], lost: Collection[str]) -> list[str]:
        """What comes out of node `name`, if it can be fed and is the only way from `lost` to `ends`, else nothing."""
        passed = self._entered(ends, {name})
        alone = self._upstream(ends, {name}).isdisjoint(lost)
        return passed if alone and all(map(self._can_be_fed, passed)) else []

    def _is_numeric(self, tensor: str) -> bool:
        dtype = self._specs[tensor].dtype
        return bool(dtype.is_floating or dtype.is_integer or dtype.is_bool)

    def _can_be_fed(self, tensor: str) -> bool:
        is_alone = source_of(tensor) in self._inside
        return not is_alone and self._is_numeric(tensor) and self._specs[tensor].shape.rank is not None

    def _spread(self, start: Iterable[str], through: Callable[[str, str], bool]) -> dict[str, None]:
        """The nodes that can be reached downstream, nearest first; `through` is asked of each tensor and its user."""
        found = dict.fromkeys(start)
        pending = deque(found)
        while pending:
            for tensor, user in self._users.get(pending.popleft(), ()):
                if user not in found and through(tensor, user):
                    found[user] = None
                    pending.append(user)
        return found

    def _upstream(self, ends: Iterable[str], stop: Collection[str]) -> set[str]:
        pending, seen = [source_of(end) for end in ends], set[str]()
        while pending:
            name = pending.pop()
            if name not in seen and name not in stop:
                seen.add(name)
                pending += [source_of(tensor) for tensor in self._sources[name]]
        return seen
