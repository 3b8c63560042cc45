"""The cheapest way to divide the nodes of a flow network between two ends: minimum cut by maximum flow.

Edmonds and Karp's form of Ford and Fulkerson's algorithm: send flow along shortest paths until none is left (J. Edmonds
and R. Karp, Theoretical improvements in algorithmic efficiency for network flow problems, 1972).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class FlowNetwork(Generic[T]):
    """A directed graph whose arcs have a capacity, from `source` to `sink`."""

    def __init__(self, source: T, sink: T) -> None:
        self.source, self.sink = source, sink
        self._residual: dict[T, dict[T, float]] = {source: {}, sink: {}}

    def add(self, start: T, end: T, capacity: float) -> None:
        """Make it cost `capacity` (more) to have `start` on the side of the source and `end` on that of the sink."""
        if capacity > 0:
            forward = self._residual.setdefault(start, {})
            backward = self._residual.setdefault(end, {})
            forward[end] = forward.get(end, 0) + capacity
            backward.setdefault(start, 0)

    def cut(self) -> set[T]:
        """The sink's side of the minimum cut in which that side is smallest, without the sink.

        The network is used up by it.
        """
        while path := self._path():
            flow = min(self._residual[start][end] for start, end in path)
            for start, end in path:
                self._residual[start][end] -= flow
                self._residual[end][start] += flow
        return self._reaching_sink()

    def _path(self) -> list[tuple[T, T]]:
        """The arcs of a shortest path along which more can flow; none when there is no such path."""
        came_from, queue = {self.source: self.source}, deque([self.source])
        while queue and self.sink not in came_from:
            start = queue.popleft()
            for end, capacity in self._residual[start].items():
                if capacity > 0 and end not in came_from:
                    came_from[end] = start
                    queue.append(end)
        path, end = [], self.sink
        while end in came_from and end != self.source:
            path.append((came_from[end], end))
            end = came_from[end]
        return path

    def _reaching_sink(self) -> set[T]:
        reaching, queue = {self.sink}, deque([self.sink])
        while queue:
            end = queue.popleft()
            for start in self._residual[end]:
                if start not in reaching and self._residual[start][end] > 0:
                    reaching.add(start)
                    queue.append(start)
        return reaching - {self.sink}
