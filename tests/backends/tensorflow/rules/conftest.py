"""What the tests of several families share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frozen_graphs import FrozenGraph
from onnxpress.testing import model

Function = Callable[..., Any]
IMAGE = np.random.default_rng(3).standard_normal((2, 4, 5, 6)).astype(np.float32)


@pytest.fixture
def emitted(tf: Any, tmp_path: Path) -> Iterator[Callable[[str], Function]]:
    """``emitted(text)(*arrays)``: the only output of a model, emitted once and run many times."""
    graphs: list[FrozenGraph] = []

    def emit(text: str) -> Function:
        from onnxpress_backends.tensorflow.frozen_graph import TENSORFLOW_PB

        parsed = model(text)
        path = tmp_path / f"{len(graphs)}.pb"
        TENSORFLOW_PB.emit(parsed, path)
        graphs.append(graph := FrozenGraph(path))
        inputs = [value.name for value in parsed.graph.inputs]
        outputs = [value.name or "" for value in parsed.graph.outputs]

        def run(*arrays: Any) -> Any:
            return graph.run(dict(zip(inputs, arrays, strict=True)), outputs)[0]

        return run

    yield emit
    for graph in graphs:
        graph.close()


@pytest.fixture
def agree_on_image(agree: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """``agree_on_image(body, header="", x=image)``: `body` makes d of c, whose channels are first, in any layout.

    The image x and the output y have their channels last, so that no Transpose may be left.
    """

    def check(body: str, header: str = "", x: Any = IMAGE, **options: Any) -> list[str]:
        text = (
            f"{header} agraph (float[{','.join(map(str, x.shape))}] x) => (float[a,b,c,d] y) "
            f"{{ c = Transpose<perm = [0, 3, 1, 2]>(x) {body} y = Transpose<perm = [0, 2, 3, 1]>(d) }}"
        )
        ops = agree(text, {"x": x}, **options)
        assert "Transpose" not in ops
        return ops

    return check
