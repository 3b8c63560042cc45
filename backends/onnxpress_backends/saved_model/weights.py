"""The weights of a model as parameters: every initialiser that stands in a graph as a constant is one variable.

It may stand there several times, arranged in several ways (a table that is looked up in and multiplied with), and in
the graph for training as in the one for inference.  It is one variable all the same, arranged as it was met first, so
that training moves all of its copies.  Scalars are numbers of a formula rather than weights and are not trained;
neither are integers, nor the statistics that training itself keeps.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from onnxpress_backends.saved_model.parameters import Parameter, Place
from onnxpress_backends.tensorflow.graphs.dtypes import DType
from onnxpress_backends.tensorflow.graphs.graph import Graph, Node, legal_name
from onnxpress_backends.tensorflow.layout.constants import Constant, Weight

_FEW = 1024
"""Elements below which integers stay in the graph, where TensorFlow sees their values."""


@dataclass(eq=False, kw_only=True)
class Weights:
    """The weights of one model.

    Attributes:
        initializers: Names of the initialisers of the model.
        statistics: Names of those that training itself keeps.
        found: What each initialiser has become, and what it was made of, in the order they were met.
    """

    initializers: Collection[str]
    statistics: Collection[str] = ()
    found: dict[str, tuple[Parameter, Weight]] = field(default_factory=dict)

    def places(self, graph: Graph) -> dict[Node, Place]:
        """The constants of `graph` that variables stand in for."""
        return {node: self._place(node.weight) for node in graph.nodes if node.weight and self._varies(node.weight)}

    def _varies(self, weight: Weight) -> bool:
        if initializer(weight.constant) not in self.initializers or weight.dtype == DType.STRING:
            return False
        return weight.dtype.is_float or weight.nbytes >= _FEW * weight.dtype.numpy.itemsize

    def _place(self, weight: Weight) -> Place:
        name = initializer(weight.constant)
        if name not in self.found:
            trainable = weight.dtype.is_float and weight.constant.shape != () and name not in self.statistics
            parameter = Parameter(name=legal_name(name), trainable=trainable, array=weight.array)
            self.found[name] = parameter, weight
        parameter, first = self.found[name]
        return Place(parameter=parameter, kept=first.arrangement, wanted=weight.arrangement)


def initializer(constant: Constant) -> str:
    """The name of the initialiser that holds a constant, or the integers it is made of."""
    return constant.name if constant.quantization is None else constant.quantization.stored.name
