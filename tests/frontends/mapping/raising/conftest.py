"""Functions whose control flow TensorFlow's freezer has lowered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Freeze = Callable[..., Any]


@pytest.fixture(scope="session")
def freeze(tf: Any) -> Freeze:
    """The `GraphDef` of a function of tensors of these shapes, and the names of its outputs."""
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    def frozen(function: Callable[..., Any], *shapes: tuple[int | None, ...]) -> tuple[Any, list[str]]:
        names = "xyz"
        signature = [tf.TensorSpec(shape, name=name) for shape, name in zip(shapes, names, strict=False)]
        concrete = tf.function(function, input_signature=signature).get_concrete_function()
        lowered = convert_variables_to_constants_v2(concrete, lower_control_flow=True)
        return lowered.graph.as_graph_def(), [tensor.op.name for tensor in lowered.outputs]

    return frozen


@pytest.fixture
def convert(freeze: Freeze, agree: Callable[..., Any], tmp_path: Path) -> Freeze:
    """Freeze a function into a file, convert that, and compare with TensorFlow."""

    def converted(function: Callable[..., Any], *shapes: tuple[int | None, ...]) -> Any:
        graph, outputs = freeze(function, *shapes)
        path = tmp_path / "frozen.pb"
        path.write_bytes(graph.SerializeToString(deterministic=True))
        return agree(path, outputs=outputs)

    return converted
