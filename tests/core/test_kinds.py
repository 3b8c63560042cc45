from __future__ import annotations

import dataclasses

import onnx_ir as ir
import pytest
from onnx_ir.passes.common import CheckerPass

from onnxpress.kinds import Context, Kind, Pass, Silent, Step, Target
from onnxpress.records import Notes, StepRecord
from onnxpress.registry import HOOKS, Registry
from onnxpress.targets import OpRule, Scheme

TARGET = Target(
    name="npu",
    summary="An accelerator.",
    activation=Scheme(),
    weight=Scheme(signed=True, symmetric=True, per_channel=True),
    rules=(OpRule(op_type="Conv", inputs={0: "activation", 1: "weight", 2: "bias"}),),
)


def test_a_target_knows_the_rule_of_an_operator():
    rule = TARGET.rule("Conv")
    assert rule is not None
    assert rule.inputs[2] == "bias"
    assert TARGET.rule("Softmax") is None


@pytest.mark.parametrize("kind", HOOKS, ids=lambda kind: kind.__name__)
def test_records_are_frozen_and_keyword_only(kind: type[Kind]):
    fields = dataclasses.fields(kind)
    assert [field.name for field in fields[:2]] == ["name", "summary"]
    assert all(field.kw_only for field in fields)
    assert kind.label != Kind.label
    with pytest.raises(dataclasses.FrozenInstanceError):
        TARGET.name = "other"  # type: ignore[misc]


def test_a_step_is_called_as_its_pass_is():
    def build(context: Context) -> ir.passes.PassBase:
        raise AssertionError("not built here")

    offer = Pass(name="tidy", summary="Tidies.", build=build)
    step = Step(run=ir.passes.Sequential(CheckerPass()), record=StepRecord(name=offer.name, options={}))
    assert step.name == "tidy"


def test_every_context_has_notes_of_its_own():
    catalog = Registry(installed=False)
    assert Context(catalog=catalog).notes is not Context(catalog=catalog).notes


def test_progress_that_nobody_watches_does_nothing():
    with Silent().task("calibrating", total=None) as advance:
        assert advance() is None


def test_notes_add_up_and_leave_zero_out():
    notes = Notes()
    notes.count("folded")
    notes.count("folded", 2)
    notes.count("removed", 0)
    notes.warn("careful")
    notes.decline(ir.node("Relu", [None], name="act"), "it is used twice")
    assert notes.counts == {"folded": 3}
    assert notes.warnings == ["careful"]
    assert [(item.node, item.op_type, item.reason) for item in notes.declined] == [("act", "Relu", "it is used twice")]
