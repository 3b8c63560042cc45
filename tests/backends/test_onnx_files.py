from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from onnxpress.kinds import Backend
from onnxpress.registry import Registry
from onnxpress.testing import model as parse
from onnxpress_backends.onnx_files import emit


def test_the_registry_offers_it_for_its_suffix() -> None:
    assert Registry().get(Backend, "onnx").suffixes == (".onnx",)


@pytest.mark.parametrize(("external", "names"), [(None, ["m.onnx"]), (True, ["m.onnx", "m.onnx.data"])])
def test_the_files_are_written_and_named(tmp_path: Path, external: bool | None, names: list[str]) -> None:
    model = parse(
        "agraph (float[N, 32] x, float[32, 32] w) => (float[N, 32] y) { y = MatMul(x, w) }",
        w=np.ones((32, 32), np.float32),
    )
    written = emit(model, tmp_path / "m.onnx", external_data=external)
    assert [path.name for path in written] == names == sorted(path.name for path in tmp_path.iterdir())
    onnx.checker.check_model(str(written[0]))
