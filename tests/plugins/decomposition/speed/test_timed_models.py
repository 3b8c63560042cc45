"""Jobs as models: the sizes of every part, and integers where they are asked for."""

from __future__ import annotations

import numpy as np
import pytest

from calibrated import runtime_ops
from onnxpress.runtime import Session
from onnxpress_plugins.decomposition.speed.latency import Job, Precision
from onnxpress_plugins.decomposition.speed.timed_models import model_of

CONV = Job(weight_shape=(6, 4, 3, 2), strides=(2, 1), dilations=(1, 2), repeats=2, sizes_in=(9, 8), sizes_out=(5, 8))
NEXT = Job(weight_shape=(3, 6, 1, 1), strides=(1, 1), dilations=(1, 1), repeats=2, sizes_in=(5, 8), sizes_out=(5, 8))
MATRIX = Job(weight_shape=(6, 4), strides=(), dilations=(), repeats=7, sizes_in=(), sizes_out=())
LAST = Job(weight_shape=(2, 6), strides=(), dilations=(), repeats=7, sizes_in=(), sizes_out=())


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize(
    ("jobs", "taken", "given"),
    [([CONV, NEXT], (2, 4, 9, 8), (2, 3, 5, 8)), ([MATRIX, LAST], (7, 4), (7, 2)), ([MATRIX], (7, 4), (7, 6))],
)
def test_the_model_has_the_sizes_of_the_jobs(
    jobs: list[Job], taken: tuple[int, ...], given: tuple[int, ...], precision: Precision
) -> None:
    session = Session(model_of(jobs, precision), threads=1)
    if precision == "int8":  # channels last
        taken, given = ((shape[0], *shape[2:], shape[1]) for shape in (taken, given))
    assert (session.inputs[0].shape, session.outputs[0].shape) == (taken, given)
    dtype = "float32" if precision == "float32" else "uint8"
    (found,) = session.run({"x": np.ones(taken, dtype)}).values()
    assert found.shape == given


def test_quantised_jobs_run_in_integers_alone() -> None:
    assert runtime_ops(model_of([CONV, NEXT], "int8")) == {"QLinearConv": 2}
    assert runtime_ops(model_of([MATRIX, LAST], "int8")) == {"QLinearMatMul": 2}
