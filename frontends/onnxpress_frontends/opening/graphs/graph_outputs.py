"""Which node of a graph is its output: one that depends on an input and that nothing uses.

Where several qualify, those that depend on fewer weights than another are by-products of it.  Training leaves more
behind: gradients, updates, summaries, and what is compared with labels.  A label is a placeholder behind which no
weight is applied; what depends on it is loss or metric, and so is every scalar.  If the network's answer is used by
these alone, it is found behind them.  What then is still ambiguous, the user must decide.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from onnxpress.errors import InvalidOption
from onnxpress_frontends.opening.graphs.feeding import tensor_specs
from onnxpress_frontends.opening.graphs.graph_inputs import comes_from_outside
from onnxpress_frontends.opening.graphs.names import attribute, listed, tensor_name
from onnxpress_frontends.opening.graphs.variables import VARIABLES
from onnxpress_frontends.reachability import closure, source_of

_BOOL = 10
"""Value of TensorFlow's ``DataType``."""

_ANSWERLESS = re.compile(
    r"(NoOp|Assert|Const|Placeholder(V2|WithDefault)?|Shape|ShapeN|Rank|Size|Print|PrintV2|.*Summary(V2)?)$"
    r"|Assign|Save|Restore|MergeV2Checkpoints|Queue|Reader|Scatter(Add|Sub|Update|Mul|Div|Min|Max)|(Resource|Sparse)?Apply"
    r"|ResourceScatter|ResourceSparseApply|IsVariableInitialized|VarIsInitialized|VariableV?2?$|VarHandle|.*Iterator|.*Dataset"
)
_GRADIENT = re.compile(r"(^|/)gradients(_\d+)?/|_grad/")
_UPDATE = re.compile(r"(Resource)?(Sparse)?Apply[A-Z]")
_TO_LOSS = frozenset(("Log", "Log1p", "Neg", "ArgMax", "Cast", "Round", "Sub", "Minimum", "Maximum", "ClipByValue"))
_SHAPES = frozenset(("Shape", "ShapeN", "Rank", "Size"))
_LOOP_ENDS = frozenset(("While", "StatelessWhile", "Exit", "RefExit"))
_CARRIERS = frozenset(("Identity", "ReadVariableOp", "Enter", "RefEnter", "Switch", "RefSwitch"))


def find_output(graph: Any, title: str) -> str:
    """The only output of a `GraphDef`, ``node:0``.

    Raises:
        InvalidOption: None or several could be it; candidates are listed.
    """
    search = _Search(graph)
    leaves = _not_scalar(graph, search.leaves(), title) if search.trains else search.leaves()
    candidates = search.without_by_products(leaves or search.behind_losses())
    if not candidates and not search.trains:
        candidates = search.other_leaves()
    if len(candidates) == 1:
        return f"{candidates[0]}:0"
    candidates = candidates or search.other_leaves()
    raise InvalidOption(
        f"{title}: {len(candidates)} nodes could be the output; name the outputs with option 'outputs'"
        f" (candidates: {listed(candidates)})"
    )


class _Search:
    def __init__(self, graph: Any) -> None:
        self._nodes = {node.name: node for node in graph.node}
        self._users: dict[str, list[str]] = {}
        taken: dict[str, list[str]] = {}
        for node in graph.node:
            for tensor in _data(node):
                name = source_of(tensor)
                self._users.setdefault(name, []).append(node.name)
                if comes_from_outside(self._nodes[name]) and not _is_flag(self._nodes[name]):
                    taken.setdefault(tensor_name(tensor), []).append(node.name)
        self._weights = {name for name, node in self._nodes.items() if _is_weight(node)}
        self._carried = self._weights | self._downstream(self._weights, through=_CARRIERS)
        self.trains = any(_GRADIENT.search(name) or _UPDATE.match(node.op) for name, node in self._nodes.items())
        labels = self._labels(taken) if self.trains else []
        self._fed = self._downstream(
            [user for tensor, users in taken.items() if tensor not in labels for user in users]
        )
        self._off = self._downstream([user for tensor in labels for user in taken[tensor]])

    def leaves(self) -> list[str]:
        """What depends on an input, and nothing uses; a variable of a loop is left over too often to be an answer."""
        found = [name for name in self._nodes if name not in self._users and self._answers(name)]
        return [name for name in found if not self._is_loop_variable(name)]

    def behind_losses(self) -> list[str]:
        """What depends on an input, and only losses and the like use; seen through what prepares it for them."""
        found = [
            name
            for name in self._nodes
            if self._answers(name)
            and any(user in self._off for user in self._users.get(name, ()))
            and not any(self._answers(user) for user in self._users.get(name, ()))
        ]
        return list(dict.fromkeys(self._before_loss(name) for name in found))

    def other_leaves(self) -> list[str]:
        """What nothing uses, losses included; where an input reaches none, whatever that depends on."""
        found = [name for name, node in self._nodes.items() if name not in self._users and not _answerless(node)]
        return [name for name in found if name in self._fed] or found

    def without_by_products(self, candidates: list[str]) -> list[str]:
        """The candidates whose weights are not fewer than those of another."""
        weights = {name: self._weights & closure(self._nodes, [name], control=False) for name in candidates}
        return [name for name in candidates if not any(weights[name] < other for other in weights.values())]

    def _answers(self, name: str) -> bool:
        return name in self._fed and name not in self._off and not _answerless(self._nodes[name])

    def _is_loop_variable(self, name: str) -> bool:
        node = self._nodes[name]
        sources = [self._nodes[source_of(tensor)].op for tensor in _data(node)]
        return node.op in _LOOP_ENDS or (node.op == "Identity" and sources[0] in _LOOP_ENDS)

    def _before_loss(self, name: str) -> str:
        while self._nodes[name].op in _TO_LOSS or self._is_of_cross_entropy(name):
            fed = [source for source in map(source_of, _data(self._nodes[name])) if source in self._fed]
            if len(fed) != 1 or _is_weight_use(self._nodes[name], self._carried):
                break
            name = fed[0]
        return name

    def _is_of_cross_entropy(self, name: str) -> bool:
        """Whether a node is the Reshape to rows that is part of TensorFlow's cross entropy."""
        users = [self._nodes[user].op for user in self._users.get(name, ()) if not _GRADIENT.search(user)]
        return self._nodes[name].op == "Reshape" and all("CrossEntropy" in op for op in users)

    def _labels(self, taken: Mapping[str, list[str]]) -> list[str]:
        """Of the tensors that come from outside, with their users, those behind which no weight is applied."""
        weighted = {name for name, node in self._nodes.items() if _is_weight_use(node, self._carried)}
        applied = {tensor: bool(weighted & self._downstream(users)) for tensor, users in taken.items()}
        return [tensor for tensor, weighs in applied.items() if not weighs] if any(applied.values()) else []

    def _downstream(self, starts: Iterable[str], *, through: Collection[str] = ()) -> set[str]:
        """`starts` and what depends on them, gradients and sizes aside; only by operators in `through`, if given."""
        pending, seen = list(starts), set[str]()
        while pending:
            name = pending.pop()
            if name not in seen and not _GRADIENT.search(name) and self._nodes[name].op not in _SHAPES:
                seen.add(name)
                users = self._users.get(name, ())
                pending += [user for user in users if not through or self._nodes[user].op in through]
        return seen


def _data(node: Any) -> list[str]:
    return [name for name in node.input if not name.startswith("^")]


def _answerless(node: Any) -> bool:
    return bool(_ANSWERLESS.match(node.op) or _GRADIENT.search(node.name))


def _is_flag(node: Any) -> bool:
    return bool(attribute(node, "dtype").type == _BOOL)


def _is_weight(node: Any) -> bool:
    return node.op in VARIABLES or (node.op == "Const" and len(node.attr["value"].tensor.tensor_shape.dim) > 1)


def _is_weight_use(node: Any, carried: Collection[str]) -> bool:
    known = [source_of(name) in carried for name in _data(node)]
    return any(known) and not all(known)


def _not_scalar(graph: Any, names: list[str], title: str) -> list[str]:
    specs = tensor_specs(graph, [f"{name}:0" for name in names], title)
    return [name for name, spec in zip(names, specs, strict=True) if spec.shape.rank != 0]
