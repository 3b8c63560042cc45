"""The judge of benchmark ``tf2onnx_failures`` tells right from wrong, and sees a failure that is called a success."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from failures.case import Case, Sample, run_command
from failures.judging import Verdict, judge, number_of
from onnxpress_frontends.tensorflow_import import import_tensorflow
from tf2onnx_failures import CASES, own, row

X = np.array([[-2.0, 1.0]], np.float32)
SAMPLE = Sample(source=None, stock=lambda out: None, feeds=[X], expected=[np.maximum(X, 0)])
CASE = Case(name="relu", make=lambda folder: SAMPLE, counted="Relu", count=number_of("Relu"), wanted=1)


def writer(body: str) -> Callable[[Path], int | None]:
    text = f'<ir_version: 8, opset_import: ["": 17]> agraph (float[N,2] x) => (float[N,2] y) {{ {body} }}'
    return lambda out: onnx.save(onnx.parser.parse_model(text), out)


def verdict(body: str, folder: Path, case: Case = CASE) -> Verdict:
    return judge(case, SAMPLE, writer(body), folder / "model.onnx")


def test_a_right_conversion(tmp_path: Path) -> None:
    assert verdict("y = Relu(x)", tmp_path) == Verdict(text="right", right=True, difference=0.0, count=1)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("y = Erfc(x)", "file is no ONNX: Erfc"),
        ("a = Erfc(x) \n y = Erfc(a)", "file is no ONNX: Erfc (2)"),
        ("a = Relu(x) \n y = Neg(a)", "wrong numbers"),
        ("a = Relu(x) \n y = Relu(a)", "right numbers, but Relu: 2"),
    ],
)
def test_a_file_that_is_not_right(body: str, text: str, tmp_path: Path) -> None:
    found = verdict(body, tmp_path)
    assert (found.text, found.right) == (text, False)


def test_an_operator_in_a_branch_is_seen(tmp_path: Path) -> None:
    branch = "graph () => (float[N,2] z) {{ z = {}(x) }}"
    body = f"c = Constant<value = bool {{1}}>() \n y = If(c)<then_branch = {branch.format('Erfc')}, else_branch = "
    assert verdict(f"{body}{branch.format('Relu')}>", tmp_path).text == "file is no ONNX: Erfc"


def test_an_exit_code_of_0_is_told_where_the_file_is_none(tmp_path: Path) -> None:
    def convert(out: Path) -> int:
        writer("y = Erfc(x)")(out)
        return run_command("-c", "pass")

    assert judge(CASE, SAMPLE, convert, tmp_path / "m.onnx").text == "exit code 0, file is no ONNX: Erfc"


@pytest.mark.parametrize(("refused", "text"), [(False, "fails"), (True, "refuses")])
def test_a_refusal_is_right_where_it_should_be(refused: bool, text: str, tmp_path: Path) -> None:
    def convert(out: Path) -> int:
        return run_command("-c", "raise SystemExit('not\\nthis')")

    found = judge(replace(CASE, refused=refused), SAMPLE, convert, tmp_path / "m.onnx")
    assert found == Verdict(text=f"{text}: exit code 1: this", right=refused)


def test_converting_what_should_be_refused_is_wrong(tmp_path: Path) -> None:
    found = verdict("y = Relu(x)", tmp_path, replace(CASE, refused=True))
    assert (found.text, found.right) == ("converts what ONNX cannot say", False)


def test_an_input_too_many(tmp_path: Path) -> None:
    sample: Any = replace(SAMPLE, feeds=[])
    found = judge(CASE, sample, writer("y = Relu(x)"), tmp_path / "m.onnx")
    assert (found.text, found.right) == ("does not run: it has other inputs, x", False)


@pytest.mark.long
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_case_is_right_here(case: Case, tmp_path: Path) -> None:
    import_tensorflow()
    sample = case.make(tmp_path)
    assert judge(case, sample, own(case, sample), tmp_path / "onnxpress.onnx").right


def test_cases_have_names_of_their_own() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 40
    assert row(CASE, Verdict(text="a", right=False), Verdict(text="b", right=True))["onnxpress"] == "b"
