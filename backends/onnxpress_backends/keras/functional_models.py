"""Backend ``keras``: a functional model of Keras 3 whose weights are those of its layers, as a ``.keras`` file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from onnxpress.errors import MissingDependency, UnsupportedModel, reason
from onnxpress.kinds import Backend

if TYPE_CHECKING:
    import onnx_ir as ir


def emit(model: ir.Model, path: Path, *, nhwc: bool = False) -> list[Path]:
    """Write `model` to `path` as a Keras model, atomically.

    Args:
        model: The model; it is not changed.
        path: Where the file goes; it ends in ``.keras``.
        nhwc: Move the channels of inputs and outputs of rank 4 and 5 from axis 1 to the end.  Leave it out
            where they are there already, as in a model that came from TensorFlow.

    Returns:
        The file written.

    Raises:
        UnsupportedModel: Keras cannot express a node; the message names it.
        OnnxpressError: The place cannot be written.
    """
    from onnxpress.files import publish, staging
    from onnxpress_backends.keras.archives import settle

    built, names = build(model, nhwc=nhwc)
    with staging(path.absolute().parent) as folder:
        staged = folder / "model.keras"
        built.save(staged)
        settle(staged, names)
        publish(staged, path)
    return [path]


def build(model: ir.Model, *, nhwc: bool = False) -> tuple[Any, set[str]]:
    """`model` as a functional model of Keras, and the names of its layers.

    Args:
        model: The model; it is not changed.
        nhwc: Inputs and outputs of rank 4 and 5 have their channels last.

    Raises:
        UnsupportedModel: Keras cannot express a node; the message names it.
    """
    from onnxpress_backends.keras import arrangements, composites, convolutions, operations, transposed_convolutions
    from onnxpress_backends.keras.assembly import Assembly
    from onnxpress_backends.tensorflow.preparing import lowered
    from onnxpress_backends.tensorflow_import import import_tensorflow, quiet

    _refuse_quantization(model)
    import_tensorflow()
    keras = _keras()
    graph = lowered(model, mode="float", nhwc=nhwc, special={**composites.RULES, **transposed_convolutions.RULES})
    assembly = Assembly(graph)
    builders = {
        "Placeholder": _input,
        **arrangements.BUILDERS,
        **composites.BUILDERS,
        **convolutions.BUILDERS,
        **operations.BUILDERS,
        **transposed_convolutions.BUILDERS,
    }
    with quiet():
        try:
            assembly.follow(builders)
        except ValueError as error:  # what layers and operations of Keras raise
            raise UnsupportedModel(f"Keras cannot express the model: {reason(error)}; write a SavedModel") from error
        inputs = [assembly.made[tensor] for tensor in assembly.inputs]
        outputs = {name: _output(assembly, name, tensor) for name, tensor in graph.outputs.items()}
        result = next(iter(outputs.values())) if len(outputs) == 1 else outputs
        built = keras.Model(inputs[0] if len(inputs) == 1 else inputs, result, name="model")
    return built, assembly.names


def _keras() -> Any:
    try:
        import keras
    except ImportError as error:
        raise MissingDependency(f"Keras cannot be imported ({error}); pip install keras") from error
    if not keras.__version__.startswith("3."):
        raise MissingDependency(f"Keras {keras.__version__} is too old; pip install 'keras>=3'")
    return keras


def _refuse_quantization(model: ir.Model) -> None:
    for node in model.graph.all_nodes():
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            raise UnsupportedModel(
                f"node {node.name!r} ({node.op_type}): Keras has no layer for quantised tensors; "
                "write a SavedModel or TFLite instead"
            )


def _input(assembly: Any, node: Any) -> Any:
    import keras

    shape, dtype = node.attrs["shape"], node.attrs["dtype"].numpy.name
    if not shape:
        assembly.refuse(node, f"input {node.name!r} has no batch dimension, which every input of Keras has")
    return keras.Input(batch_shape=tuple(shape), dtype=dtype, name=assembly.name(node.name))


def _output(assembly: Any, name: str, tensor: Any) -> Any:
    import keras

    output = assembly.of(tensor)
    if not isinstance(output, keras.KerasTensor):
        raise UnsupportedModel(f"output {name!r} depends on no input, as Keras wants it; write a SavedModel instead")
    return output


KERAS = Backend(
    name="keras",
    summary="Keras 3 models (.keras) of stock layers, for what Keras can express",
    emit=emit,
    suffixes=(".keras",),
)
