"""How often a While runs, and which of its variables count.

A loop that tf.while_loop makes has a counter and its limit as its first two variables, and keeps a conjunction of
comparisons true; that is the form that tf2onnx takes for granted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxpress_frontends.mapping.tensor_lists.scopes import Scope, Tensor

_ADD = ("AddV2", "Add")


class WhileLoop:
    """A While node, its body and its condition."""

    def __init__(self, node: Any, scope: Scope, library: Mapping[str, Scope]) -> None:
        self.node = node
        self.scope = scope
        self.body = library[node.attr["body"].func.name]
        self.condition = library[node.attr["cond"].func.name]

    def counts(self, index: int) -> bool:
        """Whether variable `index` starts at 0 and each step adds 1."""
        added = self.body.node(self.body.origin(self.body.results[index]))
        if added is None or added.op not in _ADD or self.scope.number(self.node.input[index]) != 0:
            return False
        sides = [self.body.origin(name) for name in added.input[:2]]
        argument = self.body.arguments[index]
        return argument in sides and any(self._number_in_body(side) == 1 for side in sides if side != argument)

    def keeps(self, index: int) -> bool:
        """Whether each step hands variable `index` on."""
        return bool(self.body.origin(self.body.results[index]) == self.body.arguments[index])

    def is_counter(self, name: str) -> bool:
        """Whether a tensor of the body is the number of the step."""
        origin = self.body.origin(name)
        return origin in self.body.arguments and self.counts(self.body.arguments.index(origin))

    def is_plain(self) -> bool:
        """Whether the first two variables are the number of the step and what it is kept below, or -1."""
        if len(self.node.input) < 2 or not self.counts(0) or not self.keeps(1):
            return False
        most = known(self.scope, self.node.input[1])
        return most == -1 or most in (self.limits(partly=True) or ())

    def limits(self, *, partly: bool = False) -> list[Tensor | int] | None:
        """What the number of steps is the least of: numbers, or tensors of the outer scope.

        Args:
            partly: Give what is known of it; otherwise None where something else decides too.
        """
        limits: list[Tensor | int] = []
        pending = [self.condition.results[0]]
        while pending:
            node = self.condition.node(self.condition.origin(pending.pop()))
            if node is not None and node.op == "LogicalAnd":
                pending += node.input[:2]
                continue
            size = self._limit(node) if node is not None and node.op == "Less" else None
            if size is not None:
                limits.append(size)
            elif not partly:
                return None
        return limits

    def _limit(self, less: Any) -> Tensor | int | None:
        """What a comparison keeps a counter below."""
        counter, limit = (self.condition.origin(name) for name in less.input[:2])
        if counter not in self.condition.arguments or not self.counts(self.condition.arguments.index(counter)):
            return None
        return self._outside(limit)

    def _outside(self, name: str) -> Tensor | int | None:
        """What a tensor of the condition is in the outer scope."""
        if name not in self.condition.arguments:
            return self.condition.number(name)
        index = self.condition.arguments.index(name)
        return known(self.scope, self.node.input[index]) if self.keeps(index) else None

    def _number_in_body(self, name: str) -> int | None:
        if name not in self.body.arguments:
            return self.body.number(name)
        index = self.body.arguments.index(name)
        return self.scope.number(self.node.input[index]) if self.keeps(index) else None


def known(scope: Scope, name: str) -> Tensor | int:
    """The number that a tensor holds, or else the tensor that it is a copy of."""
    number = scope.number(name)
    return scope.tensor(scope.origin(name)) if number is None else number
