"""Quantised graphs that others made, as Ascend deploys them: by onnxruntime, in training in PyTorch or TensorFlow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from calibrated import graph, numbers
from onnxpress import convert, model_files
from onnxpress.ascend.checking import check
from onnxpress.ascend.layers import layers
from onnxpress.ascend.simulation.simulator import Simulator
from onnxpress.foreign import TENSORFLOW
from onnxpress.kinds import WARNINGS_KEY
from onnxpress.runtime import Session
from onnxpress_backends.ascend.deploying import deployed
from onnxpress_backends.ascend.fake_quantization import fake_quantised


def deployed_with_numbers(model: ir.Model, sample: Any) -> tuple[ir.Model, np.ndarray[Any, Any]]:
    """The deploy model, checked, and its output; the fake-quant model gives the same to the last bit."""
    deploy = deployed(model)
    check(deploy)
    assert deploy.meta[WARNINGS_KEY] == []
    feeds = {str(deploy.graph.inputs[0].name): sample}
    (simulated,) = Simulator(deploy, "rint", threads=1).run(feeds).values()
    (floats,) = Session(fake_quantised(deploy), threads=1).run(feeds).values()
    np.testing.assert_array_equal(simulated, floats)
    return deploy, simulated


def kinds(model: ir.Model) -> Counter[str]:
    return Counter(layer.cube.op_type for layer in layers(model))


def network_of_every_layer() -> ir.Model:
    return graph(
        """a = Conv<pads = [1,1,1,1]>(x, w, b) r = Clip(a, low, high) p = MaxPool<kernel_shape = [2,2]>(r)
        s = Conv(p, v) t = Add(s, p) u = ConvTranspose(t, k, kb) m = AveragePool<kernel_shape = [2,2]>(u)
        g0 = GlobalAveragePool(m) f = Flatten(g0) h = Gemm<transB = 1>(f, g, gb) i = MatMul(h, z) y = Add(i, zb)""",
        x="float[2,4,8,8] x",
        y="float[2,3] y",
        **{"low": np.float32(0), "high": np.float32(6), "w": numbers(6, 4, 3, 3), "b": numbers(6)},
        **{"v": numbers(6, 6, 1, 1), "k": numbers(6, 5, 2, 2), "kb": numbers(5), "g": numbers(7, 5), "gb": numbers(7)},
        **{"z": numbers(7, 3), "zb": numbers(3)},
    )


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("signed", [False, True])
def test_onnxruntimes_static_quantisation(per_channel: bool, signed: bool, tmp_path: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Samples(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches: Iterator[dict[str, Any]] = iter([{"x": numbers(2, 4, 8, 8, seed=seed)} for seed in range(4)])

        def get_next(self) -> dict[str, Any] | None:
            return next(self.batches, None)

    model_files.save(network_of_every_layer(), tmp_path / "float.onnx")
    quantize_static(
        tmp_path / "float.onnx",
        tmp_path / "quantised.onnx",
        Samples(),
        quant_format=QuantFormat.QDQ,
        per_channel=per_channel,
        activation_type=QuantType.QInt8 if signed else QuantType.QUInt8,
    )
    model, sample = model_files.load(tmp_path / "quantised.onnx"), numbers(2, 4, 8, 8, seed=9)
    deploy, given = deployed_with_numbers(model, sample)
    assert kinds(deploy) == {"Conv": 2, "ConvTranspose": 1, "AveragePool": 1, "Gemm": 1, "MatMul": 1}
    expected = Session(model, threads=1).run({"x": sample})["y"]
    step = float(list(deploy.graph)[-1].attributes["scale"].as_float())
    assert np.abs(given - expected).max() <= 1.5 * step  # a value next to a tie, rounded the other way


def test_training_in_pytorch() -> None:
    """Q and DQ around float weights, scales along axis 0 and, for a transposed convolution, axis 1."""
    torch = pytest.importorskip("torch")

    def on_grid(weight: Any, axis: int) -> Any:
        largest = weight.detach().abs().amax([i for i in range(weight.ndim) if i != axis])
        zeros = torch.zeros(weight.shape[axis], dtype=torch.int32)
        return torch.fake_quantize_per_channel_affine(weight, largest / 127, zeros, axis, -128, 127)

    def tensor_on_grid(x: Any, scale: float, offset: int) -> Any:
        return torch.fake_quantize_per_tensor_affine(x, scale, offset, -128, 127)

    class Network(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.first, self.second = torch.nn.Conv2d(4, 6, 3), torch.nn.ConvTranspose2d(6, 5, 2)
            self.third = torch.nn.Linear(5 * 49, 3)

        def forward(self, x: Any) -> Any:
            functional, x = torch.nn.functional, tensor_on_grid(x, 0.03, -5)
            x = functional.conv2d(x, on_grid(self.first.weight, 0), self.first.bias).relu()
            x = tensor_on_grid(x, 0.02, -128)
            x = functional.conv_transpose2d(x, on_grid(self.second.weight, 1), self.second.bias)
            x = tensor_on_grid(x, 0.02, 3).flatten(1)
            return functional.linear(x, on_grid(self.third.weight, 0), self.third.bias)

    network, sample = Network().eval(), numbers(2, 4, 8, 8)
    model = convert(torch.export.export(network, (torch.from_numpy(sample),))).model
    deploy, given = deployed_with_numbers(model, sample)
    assert kinds(deploy) == {"Conv": 1, "ConvTranspose": 1, "Gemm": 1}
    assert all(layer.deq_scale.size > 1 for layer in layers(deploy))
    np.testing.assert_allclose(given, network(torch.from_numpy(sample)).detach().numpy(), rtol=1e-4, atol=1e-5)


def test_training_in_tensorflow() -> None:
    """FakeQuant by channel around kernels in TensorFlow's order, by tensor around activations."""
    tf = TENSORFLOW.load()
    kernels = [0.3 * numbers(3, 3, 3, 16), 0.3 * numbers(3, 3, 16, 1, seed=1), 0.3 * numbers(16, 10, seed=2)]

    def on_grid(kernel: Any) -> Any:
        largest = tf.reduce_max(tf.abs(kernel), list(range(len(kernel.shape) - 1)))
        return tf.quantization.fake_quant_with_min_max_vars_per_channel(kernel, -largest, largest, narrow_range=True)

    @tf.function(input_signature=[tf.TensorSpec((2, 16, 16, 3), name="x")])
    def network(x: Any) -> Any:
        quantise = tf.quantization.fake_quant_with_min_max_args
        y = tf.nn.conv2d(quantise(x, -3.0, 3.0), on_grid(tf.constant(kernels[0])), 2, "SAME") + tf.range(16.0)
        y = tf.nn.depthwise_conv2d(quantise(tf.nn.relu6(y), 0.0, 6.0), tf.constant(kernels[1]), [1] * 4, "SAME")
        y = quantise(tf.reduce_mean(y, (1, 2)), -8.0, 8.0)
        return y @ on_grid(tf.constant(kernels[2])) + tf.range(10.0)

    sample = numbers(2, 16, 16, 3)
    model = convert(network.get_concrete_function()).model
    deploy, given = deployed_with_numbers(model, sample)
    assert kinds(deploy) == {"Conv": 1, "MatMul": 1} or kinds(deploy) == {"Conv": 1, "Gemm": 1}
    np.testing.assert_allclose(given, network(sample).numpy(), atol=0.2)
