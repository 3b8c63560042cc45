from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from onnxpress.records import Comparison, Notes, OutputDifference, Run, StepRecord
from onnxpress_plugins.reports.json_report import JSON


def run(**details: object) -> Run:
    notes = Notes(counts={"b": 1, "a": 2}, details=dict(details))
    output = OutputDifference(
        name="y", max_abs=0.0, mean_abs=0.0, max_relative=math.nan, sqnr_db=math.inf, cosine=1.0, top1_agreement=None
    )
    return Run(
        source="größe.onnx", steps=[StepRecord("fold", {}, notes)], comparison=Comparison(samples=1, outputs=(output,))
    )


def refuse(token: str) -> None:
    raise AssertionError(f"{token} is no JSON")


def test_it_is_strict_json_with_null_for_what_is_no_number() -> None:
    document = json.loads(JSON.render(run()), parse_constant=refuse)
    output = document["comparison"]["outputs"][0]
    assert output["sqnr_db"] is None
    assert output["max_relative"] is None
    assert output["cosine"] == 1.0
    assert document["source"] == "größe.onnx"
    assert document["benchmark"] is None


def test_keys_keep_the_order_of_the_record() -> None:
    document = json.loads(JSON.render(run()))
    assert list(document)[:4] == ["format", "version", "source", "random_data"]
    assert list(document["steps"][0]["notes"]["counts"]) == ["b", "a"]
    assert JSON.render(run()) == JSON.render(run())


def test_files_that_passes_leave_are_named_and_not_repeated() -> None:
    notes = Notes(files={".decomposition.json": "a long text"})
    text = JSON.render(Run(steps=[StepRecord("decompose", {}, notes)]))
    assert json.loads(text)["steps"][0]["notes"]["files"] == [".decomposition.json"]
    assert "a long text" not in text


def test_details_of_any_plain_kind() -> None:
    details = {"path": Path("a/b"), "array": np.array([1.5, np.inf]), "scalar": np.int64(3), "pair": (True, "x")}
    found = json.loads(JSON.render(run(**details)))["steps"][0]["notes"]["details"]
    assert found == {"path": "a/b", "array": [1.5, None], "scalar": 3, "pair": [True, "x"]}
