"""Small TFLite files, made by TensorFlow's own converter, and the comparison with the interpreter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.runtime import Session
from onnxpress_frontends.tensorflow_import import quiet
from onnxpress_frontends.tflite.reading import read
from onnxpress_frontends.tflite_source import load, reference

Write = Callable[..., Path]
Edit = Callable[[Path, Callable[[Any], None]], Path]
Agree = Callable[..., ir.Model]

HALF_A_STEP = 0.5


@pytest.fixture(scope="session")
def write(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Convert a Keras model, or a function of float32 tensors with the shapes given.

    Kinds: ``float``, ``half``, ``dynamic``, ``int8`` with float ends, ``int8-ends``, ``uint8-ends``, ``int16``,
    ``sparse``, ``sparse-half``, ``sparse-dynamic``.
    """

    def convert(source: Any, *shapes: Sequence[int | None], kind: str = "float", name: str = "model") -> Path:
        converter = _converter(tf, source, shapes)
        optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY] if kind.startswith("sparse") else []
        converter.optimizations = optimizations + [tf.lite.Optimize.DEFAULT] * (kind not in ("float", "sparse"))
        if kind.endswith("half"):
            converter.target_spec.supported_types = [tf.float16]
        if kind.startswith(("int", "uint")):
            sizes = shapes or [tensor.shape for tensor in source.inputs]
            converter.representative_dataset = lambda: _samples(sizes)
            kernels = tf.lite.OpsSet.TFLITE_BUILTINS_INT8
            if kind == "int16":
                kernels = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
            converter.target_spec.supported_ops = [kernels, tf.lite.OpsSet.TFLITE_BUILTINS]
        if kind.endswith("ends"):
            converter.inference_input_type = converter.inference_output_type = tf.as_dtype(kind.partition("-")[0])
        path = tmp_path_factory.mktemp("tflite") / f"{name}.tflite"
        with quiet():
            path.write_bytes(converter.convert())
        return path

    return convert


@pytest.fixture(scope="session")
def edit(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Edit:
    """A copy of a file in which something of its `ModelT` is changed."""

    def change(path: Path, alter: Callable[[Any], None]) -> Path:
        from tensorflow.lite.python.schema_py_generated import ModelT

        model = ModelT.InitFromPackedBuf(path.read_bytes(), 0)
        alter(model)
        return _packed(model, tmp_path_factory.mktemp("edited") / path.name)

    return change


@pytest.fixture(scope="session")
def assemble(tf: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A file of one operator that no converter writes.

    Operands are arrays for constants, ``(dtype, shape)`` for inputs, None for what is left out; `result` is like an
    input; `alter` changes the `ModelT` last.
    """

    def build(code: str, operands: Sequence[Any], result: Any, *, alter: Any = None, **options: Any) -> Path:
        from tensorflow.lite.python import schema_py_generated as schema

        model = schema.ModelT(version=3, buffers=[schema.BufferT()], subgraphs=[schema.SubGraphT()])
        number = getattr(schema.BuiltinOperator, code)
        model.operatorCodes = [
            schema.OperatorCodeT(builtinCode=number, deprecatedBuiltinCode=min(number, 127), version=1)
        ]
        graph = model.subgraphs[0]
        kinds = {name.lower(): kind for name, kind in vars(schema.TensorType).items() if not name.startswith("_")}
        graph.tensors, graph.inputs, indices = [], [], []
        for operand in (*operands, result):
            indices.append(-1 if operand is None else len(graph.tensors))
            if operand is None:
                continue
            tensor = schema.TensorT(name=f"tensor_{len(graph.tensors)}", hasRank=True)
            if isinstance(operand, tuple):
                tensor.type, tensor.shape = kinds[operand[0]], list(operand[1])
                graph.inputs += [indices[-1]] if len(indices) <= len(operands) else []
            else:
                tensor.type, tensor.shape = kinds[operand.dtype.name], list(operand.shape)
                tensor.buffer = len(model.buffers)
                model.buffers.append(schema.BufferT(data=np.frombuffer(operand.tobytes(), np.uint8)))
            graph.tensors.append(tensor)
        graph.outputs = indices[-1:]
        graph.operators = [schema.OperatorT(inputs=indices[:-1], outputs=indices[-1:])]
        if options:
            (kind,) = {
                name
                for name in vars(schema.BuiltinOptions)
                if name.lower() == f"{code}options".replace("_", "").lower()
            }
            graph.operators[0].builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            graph.operators[0].builtinOptions = getattr(schema, f"{kind}T")(**options)
        if alter is not None:
            alter(model)
        return _packed(model, tmp_path_factory.mktemp("assembled") / f"{code.lower()}.tflite")

    return build


def _packed(model: Any, path: Path) -> Path:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    return path


def _converter(tf: Any, source: Any, shapes: Sequence[Any]) -> Any:
    if not shapes:
        return tf.lite.TFLiteConverter.from_keras_model(source)
    signature = [tf.TensorSpec(shape, tf.float32, name) for shape, name in zip(shapes, "xyz", strict=False)]
    function = tf.function(source, input_signature=signature).get_concrete_function()
    return tf.lite.TFLiteConverter.from_concrete_functions([function])


def _samples(shapes: Sequence[Sequence[int | None]]) -> Iterator[list[Any]]:
    for seed in range(8):
        generator = np.random.default_rng(seed)
        yield [generator.standard_normal([size or 1 for size in shape]).astype(np.float32) for shape in shapes]


def step(path: Path) -> float:
    """The scale of the integers that the output of a file is, or was before it was dequantised."""
    graph = read(path).graphs[0]
    made = {operator.outputs[0]: operator for operator in graph.operators}
    maker = made[graph.outputs[0]]
    index = maker.inputs[0] if maker.code == "DEQUANTIZE" else graph.outputs[0]
    grid = graph.tensors[index].grid
    assert grid is not None
    return float(grid.scale)


@pytest.fixture(scope="session")
def agree() -> Agree:
    """Convert a file, and assert that onnxruntime gives what the interpreter gives.

    Float outputs are compared to `rtol` of the largest magnitude; with `steps`, quantised ones to that many steps of
    their integers, at most `share` of the elements differing at all.
    """

    def check(
        path: Path, *, steps: int | None = None, share: float = 0.0, rtol: float = 1e-5, **options: Any
    ) -> ir.Model:
        model = load(path, **options)
        session, runner = Session(model), reference(path, **options)
        named = [[(port.name, port.dtype) for port in runnable.inputs] for runnable in (session, runner)]
        assert named[0] == named[1]
        feeds = {port.name: _feed(port) for port in session.inputs}
        actual, expected = session.run(feeds), runner.run(feeds)
        assert list(actual) == list(expected)
        for name, array in expected.items():
            assert (actual[name].dtype, actual[name].shape) == (array.dtype, array.shape)
            difference = np.abs(actual[name].astype(np.float64) - array.astype(np.float64))
            if steps is None:
                assert difference.max(initial=0) <= rtol * np.abs(array).max(initial=0), name
                continue
            size = 1.0 if array.dtype.kind in "iu" else step(path)
            assert difference.max(initial=0) <= (steps + 0.01) * size, name
            assert (difference > HALF_A_STEP * size).mean() <= share, name
        return model

    return check


def _feed(port: Any) -> Any:
    generator = np.random.default_rng(3)
    shape = [size if isinstance(size, int) else 3 for size in port.shape]
    if port.dtype in ("bool", "int32"):
        return generator.integers(0, 2, shape).astype(port.dtype)
    if port.dtype in ("int8", "uint8"):
        limits = np.iinfo(port.dtype)
        return generator.integers(limits.min, limits.max, shape, port.dtype, endpoint=True)
    return generator.standard_normal(shape).astype(port.dtype)


def codes(path: Path) -> list[str]:
    return [operator.code for operator in read(path).graphs[0].operators]


@pytest.fixture(scope="session")
def network(keras: Any) -> Any:
    """Input ``image``: convolutions of three kinds, addition, concatenation, pooling, resizing, dense, softmax."""
    keras.utils.set_random_seed(0)
    layers = keras.layers
    image = keras.Input((16, 16, 3), name="image")
    x = layers.Conv2D(8, 3, padding="same", activation="relu", bias_initializer="normal", name="conv")(image)
    y = layers.DepthwiseConv2D(3, padding="same", activation="relu6", bias_initializer="normal", name="depthwise")(x)
    x = layers.Add(name="added")([x, y])
    x = layers.Concatenate(name="joined")([x, layers.Conv2D(8, 1, name="point")(x)])
    x = layers.UpSampling2D(2, interpolation="bilinear", name="up")(layers.AveragePooling2D(2, name="pool")(x))
    x = layers.Conv2DTranspose(4, 3, strides=2, padding="same", bias_initializer="normal", name="transposed")(x)
    x = layers.MaxPooling2D(2, name="largest")(x)
    x = layers.Dense(10, bias_initializer="normal", name="dense")(layers.Flatten(name="flat")(x))
    return keras.Model(image, layers.Softmax(name="scores")(x), name="network")


@pytest.fixture(scope="session")
def dense(write: Write) -> Path:
    """``x @ kernel + bias`` for ``x [2, 6]``: one FULLY_CONNECTED."""
    generator = np.random.default_rng(0)
    kernel, bias = (generator.standard_normal(shape).astype(np.float32) for shape in ((6, 5), (5,)))
    return write(lambda x: x @ kernel + bias, (2, 6), name="dense")


@pytest.fixture(scope="session")
def signed(keras: Any, write: Write) -> Path:
    """A dense layer of Keras, with a signature: ``x [N, 6]`` to ``output_0 [N, 5]``."""
    x = keras.Input((6,), name="x")
    return write(keras.Model(x, keras.layers.Dense(5)(x)), name="signed")
