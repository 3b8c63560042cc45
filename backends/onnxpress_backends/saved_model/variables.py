"""The variables of a SavedModel, shared by the functions that are made of its graphs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from onnxpress_backends.saved_model.functions import Function, function
from onnxpress_backends.saved_model.parameters import Parameter, Place
from onnxpress_backends.saved_model.ranges import Ranges
from onnxpress_backends.saved_model.weight_map import HeldRange, HeldWeight, WeightMap
from onnxpress_backends.saved_model.weights import Weights
from onnxpress_backends.tensorflow.graphs.graph import Graph, Node


class Variables:
    """What the graphs of one model read and train.

    Args:
        tf: TensorFlow.
        initializers: Names of the initialisers of the model.
        statistics: Names of those that training itself keeps.
    """

    def __init__(self, tf: Any, *, initializers: Collection[str], statistics: Collection[str]) -> None:
        self._tf = tf
        self._weights = Weights(initializers=initializers, statistics=statistics)
        self._ranges = Ranges()
        self._made: dict[Parameter, Any] = {}

    @property
    def all(self) -> list[Any]:
        """The variables, in the order they were made."""
        return list(self._made.values())

    def function(self, graph: Graph) -> Function:
        """`graph` as a function of these variables."""
        places: dict[Node, Place] = self._weights.places(graph) | self._ranges.places(graph)
        for place in places.values():
            self._make(place.parameter)
        return function(self._tf, graph, places, self._made)

    def weight_map(self) -> WeightMap:
        """Which initialiser is in which of them."""
        numbers = {parameter: number for number, parameter in enumerate(self._made)}
        weights = [
            HeldWeight(initializer=name, variable=numbers[parameter], arrangement=weight.arrangement)
            for name, (parameter, weight) in self._weights.found.items()
        ]
        ranges = [
            HeldRange(
                scale=held.grid.scale_name or "",
                zero_point=held.grid.zero_point_name,
                maximum=numbers[held.maximum],
                minimum=None if held.minimum is None else numbers[held.minimum],
                factor=held.factor,
                narrow=held.narrow,
            )
            for held in self._ranges.found.values()
        ]
        return WeightMap(weights=tuple(weights), ranges=tuple(ranges))

    def _make(self, parameter: Parameter) -> None:
        if parameter not in self._made:
            first, trainable = parameter.array(), parameter.trainable
            self._made[parameter] = self._tf.Variable(first, trainable=trainable, name=parameter.name)
