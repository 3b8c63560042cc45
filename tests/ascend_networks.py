"""Random networks of the layers that Ascend runs in integers, and of operators between them that never round."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
from hypothesis import strategies as st

from onnxpress.verify import verify

BETWEEN = ("relu", "relu6", "max_pool", "residual", "concat", "pad", "scale")
LAYERS = ("conv", "conv", "depthwise", "conv_transpose", "branches", "average_pool")


@st.composite
def networks(draw: st.DrawFn, *, transposed_groups: bool = True) -> ir.Model:
    """Up to five layers on ``x [N, C, sizes...]`` of one to three dimensions, and a product of matrices or a maximum.

    Args:
        draw: Of hypothesis.
        transposed_groups: Whether a ConvTranspose may have groups.
    """
    rank = draw(st.sampled_from([1, 2, 2, 2, 3]))
    shape = [
        2,
        draw(st.sampled_from([1, 3, 4, 17, 20])),
        *draw(st.lists(st.integers(5, 8 if rank < 3 else 5), min_size=rank, max_size=rank)),
    ]
    network = _Network(draw, shape, 2 if transposed_groups else 1)
    for _ in range(draw(st.integers(1, 5))):
        getattr(network, draw(st.sampled_from(LAYERS if rank == 2 else LAYERS[:-1])))()
        if draw(st.booleans()):
            getattr(network, draw(st.sampled_from(BETWEEN)))()
    getattr(network, draw(st.sampled_from(["rows", "matrices", "pixels"])))()
    return network.finished()


class _Network:
    """A graph that grows at its end."""

    def __init__(self, draw: st.DrawFn, shape: list[int], transposed_groups: int) -> None:
        self._draw, self._transposed_groups = draw, transposed_groups
        self._random = np.random.default_rng(draw(st.integers(0, 2**16)))
        self.value = ir.Value(name="x", type=ir.TensorType(ir.DataType.FLOAT), shape=ir.Shape(["N", *shape[1:]]))
        self.shape = shape
        self._graph = ir.Graph([self.value], [], nodes=[], opset_imports={"": 17}, name="network")

    def finished(self) -> ir.Model:
        """The model; the last value is its output ``y``."""
        self.value.name = "y"
        self.value.type = ir.TensorType(ir.DataType.FLOAT)
        self._graph.outputs.append(self.value)
        model = ir.Model(self._graph, ir_version=10)
        verify(model)
        return model

    def conv(self) -> None:
        groups = self._draw(st.sampled_from([each for each in (1, 1, 1, 2, 4) if self.shape[1] % each == 0]))
        self._convolve("Conv", groups, groups * self._number(1, 20 // groups))

    def depthwise(self) -> None:
        self._convolve("Conv", self.shape[1], self.shape[1] * self._number(1, 1 + (self.shape[1] < 10)))

    def conv_transpose(self) -> None:
        groups = self._draw(
            st.sampled_from([each for each in (1, 1, self._transposed_groups) if self.shape[1] % each == 0])
        )
        if max(self.shape[2:]) <= 8:
            self._convolve("ConvTranspose", groups, groups * self._number(1, 9))

    def average_pool(self) -> None:
        self._pool("AveragePool", count_include_pad=self._number(0, 1))

    def branches(self) -> None:
        """Two layers on one tensor, perhaps with one weight, and perhaps one of them an output of the network.

        Not added as they are: onnxruntime would fuse that Add and lose the output.
        """
        start, shape = self.value, self.shape
        window = {"kernel_shape": [1] * (len(shape) - 2)}
        self._convolve("Conv", 1, 5, window)
        weight = self._graph[-1].inputs[1]
        if self._number(0, 1) and not self._graph.outputs:
            self.value.type = ir.TensorType(ir.DataType.FLOAT)
            self._graph.outputs.append(self.value)
        self.relu()
        first, self.value, self.shape = self.value, start, shape
        self._convolve("Conv", 1, 5, window)
        if self._number(0, 1):
            self._graph[-1].replace_input_with(1, weight)
        self._add("Add", [first], self.shape)

    def max_pool(self) -> None:
        self._pool("MaxPool")

    def relu(self) -> None:
        self._add("Relu", [], self.shape)

    def relu6(self) -> None:
        self._add("Clip", [self._constant(0.0), self._constant(6.0)], self.shape)

    def scale(self) -> None:
        """A factor that no layer can take, for it stands behind an activation."""
        self.relu()
        self._add("Mul", [self._constant(0.5)], self.shape)

    def residual(self) -> None:
        start, shape = self.value, self.shape
        self._convolve("Conv", 1, shape[1], window={"kernel_shape": [1] * (len(shape) - 2)})
        self._add("Add", [start], shape)

    def concat(self) -> None:
        start, shape = self.value, self.shape
        if shape[1] < 20:
            self.relu()
            self._add("Concat", [start], [shape[0], 2 * shape[1], *shape[2:]], axis=1)

    def pad(self) -> None:
        amounts = [0, 0, *(self._number(0, 2) for _ in self.shape[2:])]
        pads = self._constant([*amounts, *amounts], "i8")
        self._add("Pad", [pads], [size + 2 * more for size, more in zip(self.shape, amounts, strict=True)])

    def rows(self) -> None:
        """Flatten, and Gemm either way round."""
        features, turned = int(np.prod(self.shape[1:])), self._number(0, 1)
        self._add("Flatten", [], [self.shape[0], features])
        outputs = self._number(1, 6)
        operands = [self._weight([outputs, features] if turned else [features, outputs], features)]
        operands += [self._weight([outputs])] * self._number(0, 1)
        self._add("Gemm", operands, [self.shape[0], outputs], transB=turned)

    def matrices(self) -> None:
        """A stack of matrices: pixels by channels."""
        batch, channels, *sizes = self.shape
        pixels, outputs = int(np.prod(sizes)), self._number(1, 6)
        self._add("Reshape", [self._constant([-1, channels, pixels], "i8")], [batch, channels, pixels])
        self._add("Transpose", [], [batch, pixels, channels], perm=[0, 2, 1])
        self._add("MatMul", [self._weight([channels, outputs], channels)], [batch, pixels, outputs])
        if self._number(0, 1):
            self._add("Add", [self._weight([outputs])], self.shape)

    def pixels(self) -> None:
        """The largest of every channel."""
        self._add("GlobalMaxPool", [], [*self.shape[:2], *(1 for _ in self.shape[2:])])

    def _convolve(self, op_type: str, groups: int, outputs: int, window: dict[str, Any] | None = None) -> None:
        inputs, sizes = self.shape[1], self.shape[2:]
        attributes = window or self._window(transposed=op_type == "ConvTranspose")
        kernel = attributes["kernel_shape"]
        first, second = (inputs, outputs // groups) if op_type == "ConvTranspose" else (outputs, inputs // groups)
        operands = [self._weight([first, second, *kernel], int(inputs // groups * np.prod(kernel)))]
        operands += [self._weight([outputs])] * self._number(0, 1)
        spans = [self._span(*each, op_type) for each in zip(sizes, *self._of_axes(attributes), strict=True)]
        self._add(op_type, operands, [self.shape[0], outputs, *spans], group=groups, **attributes)

    def _window(self, *, transposed: bool) -> dict[str, Any]:
        axes = self.shape[2:]
        kernel = [self._number(1, min(3, size)) for size in axes]
        dilate = not transposed and all(2 * (k - 1) < size for k, size in zip(kernel, axes, strict=True))
        dilation = self._number(1, 1 + dilate)
        pads = [self._number(0, k // 2) for k in kernel]
        strides = [self._number(1, 2)] * len(axes)
        return {"kernel_shape": kernel, "strides": strides, "pads": [*pads, *pads], "dilations": [dilation] * len(axes)}

    def _of_axes(self, attributes: dict[str, Any]) -> list[list[int]]:
        ones = [1] * len(self.shape[2:])
        pads = attributes.get("pads", [0] * 2 * len(ones))[: len(ones)]
        return [attributes["kernel_shape"], attributes.get("strides", ones), attributes.get("dilations", ones), pads]

    @staticmethod
    def _span(size: int, kernel: int, stride: int, dilation: int, pad: int, op_type: str) -> int:
        reach = (kernel - 1) * dilation + 1
        if op_type == "ConvTranspose":
            return (size - 1) * stride + reach - 2 * pad
        return (size + 2 * pad - reach) // stride + 1

    def _pool(self, op_type: str, **attributes: int) -> None:
        if len(self.shape) != 4 or min(self.shape[2:]) < 4:
            return
        kernel, stride, pad = self._number(2, 3), self._number(1, 2), self._number(0, 1)
        spans = [self._span(size, kernel, stride, 1, pad, op_type) for size in self.shape[2:]]
        window = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [pad] * 4}
        self._add(op_type, [], [*self.shape[:2], *spans], **window, **attributes)

    def _number(self, low: int, high: int) -> int:
        return self._draw(st.integers(low, high))

    def _weight(self, shape: list[int], taps: int = 1) -> ir.Value:
        return self._constant(self._random.normal(size=shape) / np.sqrt(taps))

    def _constant(self, numbers: Any, dtype: str = "f4") -> ir.Value:
        tensor = ir.tensor(np.asarray(numbers, dtype), name=f"c{len(self._graph.initializers)}")
        value = ir.Value(name=tensor.name, type=ir.TensorType(tensor.dtype), shape=tensor.shape, const_value=tensor)
        self._graph.register_initializer(value)
        return value

    def _add(self, op_type: str, operands: list[ir.Value], shape: list[int], **attributes: Any) -> None:
        node = ir.node(op_type, [self.value, *operands], attributes, name=f"{op_type.lower()}{len(self._graph)}")
        self._graph.append(node)
        self.value, self.shape = node.outputs[0], list(shape)
        self.value.name = f"{node.name}_output"
