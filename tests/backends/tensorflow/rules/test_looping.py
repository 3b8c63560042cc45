"""Loop and Scan: how they end, what they carry, what they collect, what they see of the graph around."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress.errors import UnsupportedModel
from onnxpress.testing import model

Agree = Callable[..., list[str]]

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((2, 4)).astype(np.float32)
ADDING = """agraph (int64 m, bool c, float[4] x) => (float[4] y, float[n,4] s) <float[4] w = {1, 2, 3, 4}> {
    y, s = Loop (m, c, x) <
        body = b (int64 i, bool going_on, float[4] v) => (bool still, float[4] n, float[4] o) {
            n = Add(v, w)
            o = Mul(n, x)
            still = Identity(going_on)
        }
    >
}"""
UNTIL = """agraph (int64 m, float[4] x, float limit) => (float[4] y, float[n,4] s) <float[4] w = {1, 2, 3, 4}> {
    y, s = Loop (m, , x) <
        body = b (int64 i, bool going_on, float[4] v) => (bool still, float[4] n, float[4] o) {
            n = Add(v, w)
            o = Relu(v)
            total = ReduceSum<keepdims = 0>(n)
            still = Less(total, limit)
        }
    >
}"""
NESTED = """agraph (int64 m, float[a,4] x, float[4,4] k) => (float[a,4] y, float[b,c,4] s)
    <int64 two = {2}, float[4] w = {1, 2, 3, 4}> {
    y, s = Loop (m, , x) <
        body = outer (int64 i, bool going_on, float[a,4] v) => (bool still, float[a,4] n, float[a,4] o) {
            early = Less(i, two)
            n = If (early) <
                then_branch = t () => (float[a,4] r) {
                    r = Loop (i, , v) <
                        body = inner (int64 j, bool on, float[a,4] u) => (bool on2, float[a,4] q) {
                            q = Add(u, w)
                            on2 = Identity(on)
                        }
                    >
                },
                else_branch = e () => (float[a,4] r2) { r2 = MatMul(v, k) }
            >
            o = Relu(n)
            still = Identity(going_on)
        }
    >
}"""
ZIPPED = """agraph (float[2] h, float[n,2] x, float[n,2] z) => (float[2] last, float[n,2] collected) {
    last, collected = Scan<
        num_scan_inputs = 2,
        body = b (float[2] v, float[2] one, float[2] two) => (float[2] m, float[2] o) {
            p = Mul(one, two)
            m = Add(v, p)
            o = Sub(m, one)
        }
    >(h, x, z)
}"""


@pytest.mark.parametrize(("steps", "condition"), [(3, True), (0, True), (3, False), (-1, True)])
def test_a_number_of_steps_and_a_condition(agree: Agree, steps: int, condition: bool):
    agree(ADDING, {"m": np.array(steps), "c": np.array(condition), "x": X[0]})


@pytest.mark.parametrize(("steps", "limit"), [(100, 60.0), (2**63 - 1, 60.0), (3, 1e9), (0, 60.0)])
def test_a_condition_that_the_body_computes(agree: Agree, steps: int, limit: float):
    agree(UNTIL, {"m": np.array(steps), "x": X[0], "limit": np.array(limit, np.float32)})


def test_no_number_of_steps(agree: Agree):
    agree(
        UNTIL.replace("int64 m, ", "").replace("Loop (m, ,", "Loop (, true,").replace("> {", ", bool true = {1}> {", 1),
        {"x": X[0], "limit": np.array(60, np.float32)},
    )


def test_a_loop_that_never_ends_is_refused(run_tensorflow: Any):
    text = ADDING.replace("int64 m, bool c, ", "").replace("Loop (m, c,", "Loop (, ,")
    with pytest.raises(UnsupportedModel, match="it never ends"):
        run_tensorflow(model(text), {"x": X[0]})


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_a_loop_in_a_branch_in_a_loop_with_captured_weights(agree: Agree, steps: int):
    kernel = RANDOM.standard_normal((4, 4)).astype(np.float32)
    agree(model(NESTED, k=kernel), {"m": np.array(steps), "x": X})


def test_bodies_that_say_nothing_of_shapes(agree: Agree):
    bare = model(NESTED, k=np.eye(4, dtype=np.float32))
    for node in bare.graph.all_nodes():
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                body = attribute.as_graph()
                for value in [*body.inputs, *body.outputs][2 if node.op_type == "Loop" else 0 :]:
                    value.shape = None
    agree(bare, {"m": np.array(4), "x": X})


@pytest.mark.parametrize("steps", [0, 3])
def test_a_variable_that_grows(agree: Agree, steps: int):
    text = """agraph (int64 m, float[1,4] x) => (float[n,4] y, float[k,p,4] s) {
        y, s = Loop (m, , x) <
            body = b (int64 i, bool going_on, float[a,4] v) => (bool still, float[c,4] n, float[1,4] o) {
                n = Concat<axis = 0>(v, x)
                o = Relu(x)
                still = Identity(going_on)
            }
        >
    }"""
    agree(text, {"m": np.array(steps), "x": X[:1]})


def test_a_variable_that_never_changes_is_none(agree: Agree):
    text = """agraph (int64 m, float[4] x) => (float[4] y, float[4] z) <float[4] w = {1, 2, 3, 4}> {
        y, z = Loop (m, , x, w) <
            body = b (int64 i, bool going_on, float[4] v, float[4] kept) => (bool still, float[4] n, float[4] kept2) {
                number = Cast<to = 1>(i)
                scaled = Mul(kept, number)
                n = Add(v, scaled)
                kept2 = Identity(kept)
                still = Identity(going_on)
            }
        >
    }"""
    ops = agree(text, {"m": np.array(3), "x": X[0]})
    assert ops.count("StatelessWhile") == 1


@pytest.mark.parametrize("channels", ["first", "last"])
def test_images_are_not_transposed_in_every_step(agree: Agree, tmp_path: Any, channels: str):
    kernel = RANDOM.standard_normal((3, 3, 3, 3)).astype(np.float32)
    text = """agraph (int64 m, float[1,6,6,3] x, float[3,3,3,3] w) => (float[1,6,6,3] y, float[n,1,3,6,6] s) {
        h = Transpose<perm = [0, 3, 1, 2]>(x)
        z, s = Loop (m, , h) <
            body = b (int64 i, bool going_on, float[1,3,6,6] v) => (bool still, float[1,3,6,6] n, float[1,3,6,6] o) {
                q = Conv<pads = [1, 1, 1, 1]>(v, w)
                n = Add(q, h)
                o = Relu(n)
                still = Identity(going_on)
            }
        >
        y = Transpose<perm = [0, 2, 3, 1]>(z)
    }"""
    image = RANDOM.standard_normal((1, 6, 6, 3)).astype(np.float32)
    if channels == "first":
        text, image = text.replace("[1,6,6,3] x", "[1,3,6,6] x").replace("[0, 3, 1, 2]", "[0, 1, 2, 3]"), image[0][None]
        image = image.transpose(0, 3, 1, 2)
    ops = agree(model(text, w=kernel), {"m": np.array(2), "x": image})
    assert ops.count("Transpose") == 1 + (channels == "first")
    assert "Transpose" not in operators_of_functions(tmp_path / "model.pb")


def operators_of_functions(path: Any) -> list[str]:
    from onnxpress_backends.tensorflow.graphs.protos import protos

    library = protos().graph.GraphDef.FromString(path.read_bytes()).library
    return [node.op for function in library.function for node in function.node_def]


@pytest.mark.parametrize(
    ("axis", "backwards", "output_axis", "output_backwards"),
    [(0, 0, 0, 0), (1, 1, 1, 1), (2, 0, 1, 0), (-1, 1, -1, 1), (1, 0, 0, 1)],
)
def test_scans(agree: Agree, axis: int, backwards: int, output_axis: int, output_backwards: int):
    text = f"""agraph (float[2] h, float[3,5,4] x) => (last, collected) {{
        last, collected = Scan<
            num_scan_inputs = 1, scan_input_axes = [{axis}], scan_input_directions = [{backwards}],
            scan_output_axes = [{output_axis}], scan_output_directions = [{output_backwards}],
            body = b (float[2] v, row) => (float[2] n, o) {{
                total = ReduceSum<keepdims = 0>(row)
                n = Add(v, total)
                o = Mul(n, total)
            }}
        >(h, x)
    }}"""
    agree(text, {"h": np.ones(2, np.float32), "x": RANDOM.standard_normal((3, 5, 4)).astype(np.float32)})


def test_a_scan_of_unknown_length_over_two_inputs(agree: Agree):
    x, z = RANDOM.standard_normal((2, 3, 2)).astype(np.float32)
    agree(ZIPPED, {"h": np.ones(2, np.float32), "x": x, "z": z})


def test_a_scan_over_nothing(run_tensorflow: Any):
    """onnxruntime cannot slice what is empty."""
    empty, h = np.zeros((0, 2), np.float32), np.ones(2, np.float32)
    results = run_tensorflow(model(ZIPPED), {"h": h, "x": empty, "z": empty})
    np.testing.assert_array_equal(results["last"], h)
    assert results["collected"].shape == (0, 2)


def test_scans_before_opset_9_are_refused(run_tensorflow: Any):
    text = """<ir_version: 3, opset_import: ["" : 8]> agraph (float[1,2] h, float[1,3,2] x) => (float[1,2] y) {
        y = Scan<num_scan_inputs = 1, body = b (float[2] v, float[2] row) => (float[2] n) { n = Add(v, row) }>(, h, x)
    }"""
    with pytest.raises(UnsupportedModel, match="a Scan of before opset 9"):
        run_tensorflow(model(text), {})
