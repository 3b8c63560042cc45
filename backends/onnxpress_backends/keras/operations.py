"""One element at a time, reductions, and choosing: layers where Keras has one, else functions of `keras.ops`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from onnxpress_backends.keras.assembly import Assembly, Builder
from onnxpress_backends.tensorflow.graphs.graph import Node


def operation(name: str) -> Builder:
    """The function `keras.ops.name` of all inputs."""

    def build(assembly: Assembly, node: Node) -> Any:
        import keras

        return getattr(keras.ops, name)(*(assembly.of(tensor) for tensor in node.inputs))

    return build


def merging(layer: str, name: str) -> Builder:
    """A merging layer for tensors of one shape, else the function `keras.ops.name`."""

    def build(assembly: Assembly, node: Node) -> Any:
        inputs = [assembly.of(tensor) for tensor in node.inputs]
        computed = all(assembly.array(tensor) is None for tensor in node.inputs)
        if computed and len({tuple(value.shape) for value in inputs}) == 1:
            return assembly.layer(layer, node, inputs)
        return operation(name)(assembly, node)

    return build


def activation(name: str) -> Builder:
    """The activation that Keras calls `name`."""
    return lambda assembly, node: assembly.layer("Activation", node, assembly.of(node.inputs[0]), activation=name)


def rectifier(assembly: Assembly, node: Node) -> Any:
    """ReLU, also that which ends at 6."""
    limit = 6.0 if node.op == "Relu6" else None
    return assembly.layer("ReLU", node, assembly.of(node.inputs[0]), max_value=limit)


def leaky(assembly: Assembly, node: Node) -> Any:
    """LeakyReLU."""
    return assembly.layer("LeakyReLU", node, assembly.of(node.inputs[0]), negative_slope=node.attrs["alpha"])


def softmax(assembly: Assembly, node: Node) -> Any:
    """Softmax over the last axis."""
    return assembly.layer("Softmax", node, assembly.of(node.inputs[0]))


def identity(assembly: Assembly, node: Node) -> Any:
    """A name for what is there already."""
    return assembly.layer("Identity", node, assembly.of(node.inputs[0]))


def cast(assembly: Assembly, node: Node) -> Any:
    """Another type."""
    import keras

    return keras.ops.cast(assembly.of(node.inputs[0]), node.attrs["DstT"].numpy.name)


def clip(assembly: Assembly, node: Node) -> Any:
    """Between two numbers: those of Keras's own kind, which a file can hold."""
    import keras

    return keras.ops.clip(assembly.of(node.inputs[0]), assembly.known(node, 1), assembly.known(node, 2))


def squared_difference(assembly: Assembly, node: Node) -> Any:
    """``(a - b)**2``."""
    import keras

    return keras.ops.square(operation("subtract")(assembly, node))


def reduction(name: str) -> Builder:
    """The function `keras.ops.name` over constant axes."""

    def build(assembly: Assembly, node: Node) -> Any:
        import keras

        axes = assembly.known(node, 1)
        axes = tuple(axes) if isinstance(axes, list) else (axes,)
        x, keep = assembly.of(node.inputs[0]), node.attrs["keep_dims"]
        if name == "mean" and len(x.shape) == 4 and sorted(axes) == [1, 2]:
            return assembly.layer("GlobalAveragePooling2D", node, x, keepdims=keep)
        return getattr(keras.ops, name)(x, axis=axes, keepdims=keep) if axes else x

    return build


def arg_extreme(name: str) -> Builder:
    """The place of the largest or smallest element along a constant axis."""

    def build(assembly: Assembly, node: Node) -> Any:
        import keras

        place = getattr(keras.ops, name)(assembly.of(node.inputs[0]), axis=assembly.known(node, 1))
        return keras.ops.cast(place, node.attrs["output_type"].numpy.name)

    return build


BUILDERS: Mapping[str, Builder] = {
    "Abs": operation("abs"),
    "AddV2": merging("Add", "add"),
    "All": reduction("all"),
    "Any": reduction("any"),
    "ArgMax": arg_extreme("argmax"),
    "ArgMin": arg_extreme("argmin"),
    "BiasAdd": operation("add"),
    "Cast": cast,
    "Ceil": operation("ceil"),
    "ClipByValue": clip,
    "Cos": operation("cos"),
    "Elu": activation("elu"),
    "Equal": operation("equal"),
    "Erf": operation("erf"),
    "Exp": operation("exp"),
    "Floor": operation("floor"),
    "FloorDiv": operation("floor_divide"),
    "FloorMod": operation("mod"),
    "Greater": operation("greater"),
    "GreaterEqual": operation("greater_equal"),
    "Identity": identity,
    "Inv": operation("reciprocal"),
    "LeakyRelu": leaky,
    "Less": operation("less"),
    "LessEqual": operation("less_equal"),
    "Log": operation("log"),
    "Log1p": operation("log1p"),
    "LogSoftmax": activation("log_softmax"),
    "LogicalAnd": operation("logical_and"),
    "LogicalNot": operation("logical_not"),
    "LogicalOr": operation("logical_or"),
    "Max": reduction("max"),
    "Maximum": merging("Maximum", "maximum"),
    "Mean": reduction("mean"),
    "Min": reduction("min"),
    "Minimum": merging("Minimum", "minimum"),
    "Mul": merging("Multiply", "multiply"),
    "Neg": operation("negative"),
    "NotEqual": operation("not_equal"),
    "Pow": operation("power"),
    "Prod": reduction("prod"),
    "RealDiv": operation("true_divide"),
    "Reciprocal": operation("reciprocal"),
    "Relu": rectifier,
    "Relu6": rectifier,
    "Rint": operation("round"),
    "Round": operation("round"),
    "Rsqrt": operation("rsqrt"),
    "SelectV2": operation("where"),
    "Selu": activation("selu"),
    "Sigmoid": activation("sigmoid"),
    "Sign": operation("sign"),
    "Sin": operation("sin"),
    "Softmax": softmax,
    "Softplus": activation("softplus"),
    "Softsign": activation("softsign"),
    "Sqrt": operation("sqrt"),
    "Square": operation("square"),
    "SquaredDifference": squared_difference,
    "Sub": merging("Subtract", "subtract"),
    "Sum": reduction("sum"),
    "Tanh": activation("tanh"),
}
