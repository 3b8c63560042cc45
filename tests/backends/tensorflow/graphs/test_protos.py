"""TensorFlow's messages are there without TensorFlow, and TensorFlow can still be imported afterwards."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import onnx_ir as ir

EMIT = """
import sys
from pathlib import Path
import onnxpress
onnxpress.convert(Path(sys.argv[1]), out=Path(sys.argv[2]))
assert not any(name == "tensorflow" or name.startswith("tensorflow.python") for name in sys.modules), "imported"
"""
IMPORT = """
import tensorflow as tf
from onnxpress_backends.tensorflow.graphs import graph_def, protos
assert protos.protos().graph.GraphDef is tf.compat.v1.GraphDef
graph = tf.compat.v1.GraphDef.FromString(Path(sys.argv[2]).read_bytes())
function = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
run = function.prune("x:0", "y:0")
assert run(tf.constant([-1.0, 2.0])).numpy().tolist() == [0.0, 2.0]
"""


def run(program: str, *arguments: Path) -> None:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_graph_is_written_without_tensorflow_which_can_be_imported_afterwards(tmp_path: Path) -> None:
    source, out = tmp_path / "relu.onnx", tmp_path / "relu.pb"
    model = ir.from_onnx_text('<ir_version: 8, opset_import: ["": 17]> g (float[N] x) => (float[N] y) { y = Relu(x) }')
    ir.save(model, source)
    run(EMIT + IMPORT, source, out)
    assert out.stat().st_size < 1000
