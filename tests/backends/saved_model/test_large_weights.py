"""Weights that pass 2 GB, which no GraphDef can hold."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

WRITE = """
    import sys, threading
    from pathlib import Path
    import numpy as np
    import onnx_ir as ir
    from onnxpress.runtime import Session
    from onnxpress.testing import model as parse
    from onnxpress_backends.saved_model.writing import SAVED_MODEL
    from onnxpress_backends.tensorflow_import import import_tensorflow
    width, layers = 8192, 9
    shape = f"float[{width},{width}]"
    names = [f"w{layer}" for layer in range(layers)]
    lines = "".join(f"x{layer + 1} = MatMul(x{layer}, w{layer})" for layer in range(layers))
    inputs = ", ".join(f"{shape} {name}" for name in names)
    model = parse(f"agraph (float[N,{width}] x0, {inputs}) => (float[N,{width}] x{layers}) {{ {lines} }}")
    kept = np.memmap(sys.argv[1] + ".data", np.float32, "w+", shape=(layers, width, width))
    for layer, weight in enumerate(kept):
        rows, columns = np.random.default_rng(layer).standard_normal((2, width), np.float32)
        np.outer(rows, columns / width, out=weight)
    for layer, name in enumerate(names):
        value = next(value for value in model.graph.inputs if value.name == name)
        model.graph.inputs.remove(value)
        value.const_value = ir.ExternalTensor(
            "large.data", layer * width**2 * 4, width**2 * 4, ir.DataType.FLOAT,
            shape=ir.Shape((width, width)), name=name, base_dir=Path(sys.argv[1]).parent,
        )
        model.graph.register_initializer(value)
    kept.flush()
    del kept
    tf = import_tensorflow()

    def memory(key):
        return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(key)) * 1024

    def watch():
        while not over.wait(0.05):
            peak.append(memory("RssAnon"))

    peak, over = [memory("RssAnon")], threading.Event()
    watcher = threading.Thread(target=watch)
    watcher.start()
    SAVED_MODEL.emit(model, Path(sys.argv[1]))
    over.set()
    watcher.join()
    print(max(peak) - peak[0])
    x = np.random.default_rng(0).standard_normal((2, width), np.float32)
    expected = Session(model).run({"x0": x})[f"x{layers}"]
    actual = tf.saved_model.load(sys.argv[1])(x).numpy()
    print(np.abs(actual - expected).max() / np.abs(expected).max())
"""


@pytest.mark.long
def test_weights_beyond_2_gb_go_to_the_checkpoint_and_are_in_memory_once(tmp_path: Path) -> None:
    folder = tmp_path / "large"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(WRITE), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    extra, difference = map(float, done.stdout.split())
    weights = (folder / "variables" / "variables.data-00000-of-00001").stat().st_size
    assert weights > 2**31
    assert (folder / "saved_model.pb").stat().st_size < 1_000_000
    assert extra < 1.3 * weights
    assert difference < 1e-4  # sums of 8,192 products, nine times over
