from __future__ import annotations

import math

import pytest

from onnxpress.records import (
    Benchmark,
    Comparison,
    Declined,
    FloatNode,
    Kernels,
    Latency,
    Notes,
    OutputDifference,
    Run,
    StepRecord,
)
from onnxpress_plugins.reports.text_report import TEXT, WIDTH

NONE = {"integer": 0, "float": 0, "convert": 0, "other": 0}
FLOAT = Kernels(
    counts={**NONE, "float": 9}, milliseconds={**NONE, "float": 2.0}, macs={**NONE, "float": 9}, product_ms=NONE
)
MIXED = Kernels(
    counts={**NONE, "integer": 8, "float": 1},
    milliseconds={**NONE, "integer": 0.75, "float": 0.25},
    macs={**NONE, "integer": 9, "float": 1},
    product_ms=NONE,
    float_nodes=(FloatNode(node="up", op_type="ConvTranspose", reason="no kernel", milliseconds=0.25, macs=1),),
)


def difference(name: str = "y", **values: float | None) -> OutputDifference:
    default = {"max_abs": 0.1, "mean_abs": 0.01, "max_relative": 0.02, "sqnr_db": 38.26, "cosine": 0.999}
    return OutputDifference(name=name, **{**default, "top1_agreement": 0.995, **values})


def full_run() -> Run:
    notes = Notes()
    notes.count("BatchNormalization folded into Conv", 53)
    notes.declined += [Declined(f"bn_{index}", "BatchNormalization", "[odd] reason") for index in range(4)]
    notes.warn("the range of t is a guess")
    return Run(
        source="model.keras",
        files=["model-int8.onnx"],
        versions={"onnxpress": "0.1.0", "onnxruntime": "1.31.1"},
        warnings=["something to see"],
        size_before=1_710_579,
        size_after=438_414,
        steps=[StepRecord("fold-batch-norm", {"skip": None, "depth": 2}, notes, True, 0.126, 200, 140)],
        comparison=Comparison(samples=2000, outputs=(difference(),), accuracy_a=0.914, accuracy_b=0.9131),
        benchmark=Benchmark(
            threads=1,
            batch=1,
            runs=50,
            a=Latency(median_ms=2.0, minimum_ms=1.9),
            b=Latency(median_ms=1.0, minimum_ms=0.95),
            ratio=2.0,
            kernels_a=FLOAT,
            kernels_b=MIXED,
            explanation=("B is so small that it does not matter.",),
            warnings=("no VNNI here",),
        ),
    )


def test_every_figure_is_there() -> None:
    text = TEXT.render(full_run())
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for line in (
        "model.keras -> model-int8.onnx",
        "size 1.71 MB 438.41 kB 0.256 x",
        "accuracy (2000 samples) 91.40% 91.31% -0.09 points",
        "same best class (2000 samples) 99.50%",
        "SQNR 38.3 dB",
        "largest error 0.1 2.00% of the peak",
        "latency, median (1 thread, batch 1) 2 ms 1 ms 2.00 x as fast",
        "latency, minimum 1.9 ms 0.95 ms 2.00 x as fast",
        "fold-batch-norm 53 BatchNormalization folded into Conv 200 -> 140 0.13 s",
        "(depth=2) 4 left alone",
        "- 4 x BatchNormalization: [odd] reason (bn_0, bn_1, bn_2, ...)",
        "integer 8 75% 90%",
        "float 1 25% 10%",
        "- 1 x ConvTranspose: no kernel (up)",
        "- B is so small that it does not matter.",
        "- no VNNI here",
        "- something to see",
        "- fold-batch-norm: the range of t is a guess",
        "onnxpress 0.1.0, onnxruntime 1.31.1",
    ):
        assert line in lines
    assert "RANDOM" not in text


def test_every_layer_with_weights_that_stays_float_is_named() -> None:
    run, names = full_run(), [f"conv_{number}" for number in range(20)]
    notes = Notes(declined=[Declined(name, "Conv", "few channels") for name in names])
    run.steps.append(StepRecord(name="insert-qdq", options={}, notes=notes))
    text = " ".join(TEXT.render(run).split())
    assert f"- 20 x Conv: few channels ({', '.join(names)})" in text
    notes.declined.append(Declined("one_more", "Conv", "few channels"))
    assert f"- 21 x Conv: few channels ({', '.join(names)}, ...)" in " ".join(TEXT.render(run).split())


def test_it_is_plain_and_narrow() -> None:
    text = TEXT.render(full_run())
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= WIDTH
    assert TEXT.render(full_run()) == text


def test_random_data_are_said_first_and_loudly() -> None:
    run = full_run()
    run.random_data = True
    assert TEXT.render(run).startswith("!!! RANDOM DATA: the ranges were calibrated on noise and mean nothing.")


def test_several_outputs_get_a_table_and_the_worst_the_headline() -> None:
    run = full_run()
    outputs = (difference("boxes", sqnr_db=math.inf, top1_agreement=None), difference("scores", sqnr_db=20.0))
    run.comparison = Comparison(samples=4, outputs=outputs)
    text = TEXT.render(run)
    assert "SQNR of scores, the worst output" in text
    assert "identical" in text
    assert "accuracy" not in text


def test_a_bare_run_renders() -> None:
    assert TEXT.render(Run(source="a.onnx")) == "a.onnx -> not written\n\n"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_odd_figures_render(value: float) -> None:
    run = full_run()
    run.comparison = Comparison(samples=1, outputs=(difference(sqnr_db=value, max_abs=value),))
    assert ("identical" in TEXT.render(run)) == (value == math.inf)
