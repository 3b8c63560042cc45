"""A TensorFlow model whose weights pass 2 GB, which no protobuf can hold."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

CONVERT = """
    import resource, sys
    from pathlib import Path
    import numpy as np
    from onnxpress import convert
    from onnxpress.runtime import Session
    from onnxpress_frontends.tensorflow_import import import_tensorflow
    tf = import_tensorflow()
    width, layers = 8192, 9
    random = tf.random.stateless_uniform
    weights = [tf.Variable(random((width, width), (1, layer), -0.02, 0.02)) for layer in range(layers)]

    @tf.function(input_signature=[tf.TensorSpec((None, width), name="x")])
    def network(x):
        for weight in weights:
            x = tf.nn.relu(x @ weight)
        return {"y": x}

    def resident(key):
        return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key)) * 1024

    before = resident("VmRSS")
    result = convert(network, out=sys.argv[1])
    print(resident("VmHWM") - before)
    x = np.random.default_rng(0).standard_normal((2, width), dtype=np.float32)
    expected = network(tf.constant(x))["y"].numpy()
    del result, weights, network
    actual = Session(Path(sys.argv[1])).run({"x": x})["y"]
    print(np.abs(actual - expected).max() / np.abs(expected).max())
"""


@pytest.mark.long
def test_weights_beyond_2_gb_go_to_external_data_and_are_never_copied(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CONVERT), str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    extra, difference = map(float, done.stdout.split())
    weights = (tmp_path / "large.onnx.data").stat().st_size
    assert weights > 2**31 and path.stat().st_size < 100_000
    assert extra < 0.3 * weights
    assert difference < 1e-5
