from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from onnxpress import hookimpl, model_files, ranges
from onnxpress.errors import (
    InvalidData,
    InvalidModel,
    InvalidOption,
    InvalidRecipe,
    MissingDependency,
    OnnxpressError,
    StepFailed,
    UnknownName,
)
from onnxpress.kinds import Context, Pass, Step
from onnxpress.ranges import META_KEY, Range
from onnxpress.recipe import load
from onnxpress.registry import Registry
from onnxpress.run import settle, transform
from onnxpress.testing import assert_equivalent, model

Change = Callable[[ir.Model, Context], object]


class Calling(ir.passes.InPlacePass):
    """Runs a function on the model; what it returns says whether the model changed."""

    def __init__(self, change: Change, context: Context) -> None:
        super().__init__()
        self.change, self.context = change, context

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        return ir.passes.PassResult(model, modified=bool(self.change(model, self.context)))


def offer(name: str, change: Change) -> Pass:
    def build(context: Context, *, times: int = 1) -> ir.passes.PassBase:
        return Calling(change, context)

    return Pass(name=name, summary="For a test.", build=build)


def registry(*offers: Pass, wrappers: Iterable[object] = ()) -> Registry:
    @hookimpl
    def onnxpress_passes() -> Iterable[Pass]:
        return offers

    plugin = SimpleNamespace(__name__="test", onnxpress_passes=onnxpress_passes)
    return Registry(plugin, *wrappers, installed=False)


def run(original: ir.Model, steps: Any, *offers: Pass, **named: Any) -> tuple[ir.Model, Any]:
    catalog = registry(*offers)
    return transform(original, steps, catalog, Context(catalog=catalog), **named)


def failure(error: type[OnnxpressError], *arguments: Any, **named: Any) -> str:
    with pytest.raises(error) as caught:
        run(*arguments, **named)
    return str(caught.value)


def chain() -> ir.Model:
    return model(
        "agraph (float[N,4] x, float[4] w) => (float[N,4] y) { [first] h = Relu(x) [second] y = Add(h, w) }",
        w=np.arange(4, dtype=np.float32),
    )


def content(original: ir.Model) -> bytes:
    return model_files.to_proto(original).SerializeToString(deterministic=True)


def negate(changed: ir.Model, context: Context) -> bool:
    """y becomes -y."""
    last = changed.graph[-1]
    last.outputs[0].name, output = "before_negation", changed.graph.outputs[0]
    node = ir.node("Neg", [output], name="negation")
    node.outputs[0].name, node.outputs[0].type, node.outputs[0].shape = "y", output.type, output.shape
    changed.graph.append(node)
    changed.graph.outputs[0] = node.outputs[0]
    context.notes.count("negations")
    return True


def forbid(changed: ir.Model, context: Context) -> bool:
    """Renames what it can, drops a node, and then gives up."""
    changed.graph[0].name = "spoilt"
    changed.graph.initializers["w"].const_value = ir.tensor(np.zeros(4, np.float32), name="w")
    changed.metadata_props["spoilt"] = "yes"
    raise ZeroDivisionError("no way on")


def scribble(changed: ir.Model, context: Context) -> bool:
    changed.graph.initializers["w"].const_value.numpy()[:] = 7
    return True


NEGATE, FORBID = offer("negate", negate), offer("forbid", forbid)
IDLE = offer("idle", lambda changed, context: False)


class TestSuccess:
    def test_steps_run_in_order_and_leave_a_record(self):
        before = chain()
        after, record = run(before, ["negate", ("idle", {"times": "3"}), "negate"], NEGATE, IDLE)
        steps = [(step.name, step.options, step.modified, step.nodes_before, step.nodes_after) for step in record.steps]
        assert steps == [
            ("negate", {}, True, 2, 3),
            ("idle", {"times": 3}, False, 3, 3),
            ("negate", {}, True, 3, 4),
        ]
        assert record.steps[0].notes.counts == {"negations": 1}
        assert record.steps[1].notes.counts == {}
        assert_equivalent(before, after, {"x": np.ones((2, 4), np.float32)}, rtol=0, atol=0)

    def test_the_callers_model_stays_as_it_was(self):
        before = chain()
        expected = content(before)
        run(before, ["negate"], NEGATE)
        assert content(before) == expected

    def test_the_record_holds_recipe_versions_and_time(self):
        _, record = run(chain(), [("negate", {"times": 2})], NEGATE)
        assert record.recipe == '[[step]]\npass = "negate"\ntimes = 2\n'
        assert {"python", "onnxpress", "onnxruntime"} <= set(record.versions)
        assert record.steps[0].seconds > 0

    def test_a_recipe_without_a_target_keeps_that_of_the_context(self):
        seen: list[str] = []
        look = offer("look", lambda changed, context: seen.append(context.target))
        catalog = registry(look)
        transform(chain(), ["look"], catalog, Context(catalog=catalog, target="npu"))
        assert seen == ["npu"]

    def test_what_a_pass_that_claims_no_change_did_is_dropped(self):
        def secretly(changed: ir.Model, context: Context) -> bool:
            negate(changed, context)
            return False

        after, record = run(chain(), ["secretly"], offer("secretly", secretly))
        assert content(after) == content(run(chain(), ["idle"], IDLE)[0])
        assert not record.steps[0].modified and record.steps[0].nodes_after == 2

    def test_an_invalid_model_is_refused_before_any_step(self):
        broken = chain()
        broken.graph.outputs[0].shape = ir.Shape(["N", 5])
        assert "shape inference failed: " in failure(InvalidModel, broken, ["idle"], IDLE)

    def test_a_pass_may_leave_names_to_be_made_unique(self):
        def anonymous(changed: ir.Model, context: Context) -> bool:
            negate(changed, context)
            changed.graph[-1].name = changed.graph[0].name
            changed.graph[0].outputs[0].name = None
            return True

        after, _ = run(chain(), ["anonymous"], offer("anonymous", anonymous))
        assert len({node.name for node in after.graph}) == 3

    def test_the_same_recipe_gives_the_same_bytes(self):
        assert content(run(chain(), ["negate"], NEGATE)[0]) == content(run(chain(), ["negate"], NEGATE)[0])


class TestBeforeTheFirstStep:
    """Nothing runs when the recipe cannot be run as written."""

    @pytest.fixture
    def never(self) -> Pass:
        def reached(changed: ir.Model, context: Context) -> bool:
            raise AssertionError("no step may run")

        return offer("never", reached)

    def test_an_unknown_pass(self, never: Pass):
        assert failure(UnknownName, chain(), ["never", "nevr"], never) == (
            "no pass is called 'nevr'; did you mean 'never'?"
        )

    def test_an_ill_typed_option(self, never: Pass):
        assert failure(InvalidOption, chain(), ["never", ("never", {"times": "many"})], never) == (
            "pass 'never': option 'times' must be int, not 'many'"
        )

    def test_a_step_that_is_none(self, never: Pass):
        assert failure(InvalidRecipe, chain(), ["never", 3], never) == (
            "recipe steps: a step is a name, (name, options) or a table with 'pass', not 3"
        )

    def test_a_pass_that_cannot_be_built(self, never: Pass):
        def build(context: Context) -> ir.passes.PassBase:
            raise KeyError("licence")

        bad = Pass(name="bad", summary="For a test.", build=build)
        assert failure(StepFailed, chain(), ["never", "bad"], never, bad) == (
            "pass 'bad' cannot be built: KeyError: 'licence'"
        )


class TestFailure:
    def test_a_failing_pass_leaves_the_callers_model_byte_identical(self):
        before = chain()
        expected = content(before)
        assert failure(StepFailed, before, ["negate", "forbid"], NEGATE, FORBID) == (
            "pass 'forbid' failed: ZeroDivisionError: no way on"
        )
        assert content(before) == expected

    def test_a_pass_cannot_write_into_shared_weights(self):
        before = chain()
        expected = content(before)
        message = failure(StepFailed, before, ["scribble"], offer("scribble", scribble))
        assert message == "pass 'scribble' failed: ValueError: assignment destination is read-only"
        assert content(before) == expected
        before.graph.initializers["w"].const_value.numpy()[:] = 7

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            (
                lambda changed, context: changed.graph.remove(changed.graph[0]),
                "uses 'h', which is not defined before it",
            ),
            (
                lambda changed, context: setattr(changed.graph.outputs[0], "shape", ir.Shape(["N", 5])),
                "shape inference failed: ",
            ),
            (
                lambda changed, context: setattr(changed.graph.outputs[0], "name", "other"),
                "it changed the inputs or outputs from (['x'], ['y']) to (['x'], ['other'])",
            ),
        ],
        ids=["dangling", "shape", "interface"],
    )
    def test_an_invalid_result_is_the_steps_failure(self, change: Change, sentence: str):
        def spoil(changed: ir.Model, context: Context) -> bool:
            change(changed, context)
            return True

        message = failure(StepFailed, chain(), ["break"], offer("break", spoil))
        assert message.startswith("pass 'break' failed: ")
        assert sentence in message

    @pytest.mark.parametrize(
        "error",
        [InvalidData("no data; give --data"), InvalidRecipe("no such node"), MissingDependency("install pillow")],
    )
    def test_what_is_no_failure_of_the_step_passes_through(self, tmp_path: Path, error: OnnxpressError):
        def needs(changed: ir.Model, context: Context) -> bool:
            raise error

        folder = tmp_path / "failed"
        assert failure(type(error), chain(), ["needs"], offer("needs", needs), reproducer_folder=folder) == str(error)
        assert not folder.exists()

    def test_the_reproducer_fails_in_the_same_way(self, tmp_path: Path):
        folder = tmp_path / "the failure"
        message = failure(
            StepFailed,
            chain(),
            ["negate", ("forbid", {"times": 2}), "idle"],
            NEGATE,
            FORBID,
            IDLE,
            reproducer_folder=folder,
        )
        sentence, way = message.split("\n")
        assert sentence == "pass 'forbid' failed: ZeroDivisionError: no way on"
        assert way == (
            f"the model before it is in {folder}; rerun with: "
            f"onnxpress compress '{folder}/model.onnx' --recipe '{folder}/recipe.toml'"
        )
        recipe, before = load(folder / "recipe.toml"), model_files.load(folder / "model.onnx")
        assert [(step.name, dict(step.options)) for step in recipe.steps] == [("forbid", {"times": 2}), ("idle", {})]
        assert recipe.target == "onnxruntime-cpu"
        assert before.graph[-1].name == "negation"
        assert failure(StepFailed, before, recipe, FORBID, IDLE) == sentence
        facts = json.loads((folder / "versions.json").read_text())
        assert facts["error"] == "ZeroDivisionError: no way on"
        assert facts["versions"]["onnxpress"]

    def test_the_reproducer_is_for_the_target_of_the_run(self, tmp_path: Path):
        catalog = registry(FORBID)
        with pytest.raises(StepFailed):
            transform(
                chain(), ["forbid"], catalog, Context(catalog=catalog, target="npu"), reproducer_folder=tmp_path / "f"
            )
        assert load(tmp_path / "f" / "recipe.toml").target == "npu"

    def test_a_reproducer_that_cannot_be_written_does_not_hide_the_failure(self, tmp_path: Path):
        (tmp_path / "file").write_text("")
        assert failure(StepFailed, chain(), ["forbid"], FORBID, reproducer_folder=tmp_path / "file" / "failed") == (
            "pass 'forbid' failed: ZeroDivisionError: no way on "
            f"(no reproducer: cannot write in {tmp_path / 'file'}: File exists)"
        )

    def test_an_interrupt_is_nobodys_failure(self, tmp_path: Path):
        def interrupt(changed: ir.Model, context: Context) -> bool:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run(chain(), ["interrupt"], offer("interrupt", interrupt), reproducer_folder=tmp_path / "failed")
        assert list(tmp_path.iterdir()) == []


class TestRanges:
    def test_a_recipe_attaches_ranges_before_the_first_step(self, tmp_path: Path):
        ranges.save({"h": Range(0.0, 6.0), "gone": Range(0.0, 1.0)}, tmp_path / "ranges.json")
        (tmp_path / "recipe.toml").write_text('ranges = "ranges.json"\n[[step]]\npass = "idle"\n')
        before = chain()
        after, _ = run(before, tmp_path / "recipe.toml", IDLE)
        assert after.graph[0].outputs[0].meta[META_KEY] == Range(0.0, 6.0)
        assert META_KEY not in before.graph[0].outputs[0].meta

    def test_ranges_travel_with_a_reproducer(self, tmp_path: Path):
        def calibrate(changed: ir.Model, context: Context) -> bool:
            changed.graph[0].outputs[0].meta[META_KEY] = Range(0.0, 6.0)
            return True

        def needs(changed: ir.Model, context: Context) -> bool:
            raise RuntimeError(f"seen {changed.graph[0].outputs[0].meta[META_KEY]}")

        offers = offer("calibrate", calibrate), offer("needs", needs)
        message = failure(StepFailed, chain(), ["calibrate", "needs"], *offers, reproducer_folder=tmp_path / "f")
        again = failure(
            StepFailed, model_files.load(tmp_path / "f" / "model.onnx"), tmp_path / "f/recipe.toml", *offers
        )
        assert again == message.split("\n")[0] == "pass 'needs' failed: RuntimeError: seen Range(low=0.0, high=6.0)"


class TestWrappers:
    def test_a_wrapper_surrounds_every_step(self):
        seen: list[str] = []

        class Watch:
            @hookimpl(wrapper=True)
            def onnxpress_run_step(
                self, step: Step, model: ir.Model
            ) -> Generator[None, ir.passes.PassResult, ir.passes.PassResult]:
                seen.append(f"before {step.name}: {len(model.graph)} nodes")
                result = yield
                seen.append(f"after {step.name}: {len(result.model.graph)} nodes")
                return result

        catalog = registry(NEGATE, IDLE, wrappers=[Watch()])
        transform(chain(), ["negate", "idle"], catalog, Context(catalog=catalog))
        assert seen == [
            "before negate: 2 nodes",
            "after negate: 3 nodes",
            "before idle: 3 nodes",
            "after idle: 3 nodes",
        ]

    def test_what_a_wrapper_returns_is_verified_too(self):
        class Break:
            @hookimpl(wrapper=True)
            def onnxpress_run_step(self, model: ir.Model) -> Generator[None, Any, Any]:
                result = yield
                result.model.graph.remove(result.model.graph[0])
                return ir.passes.PassResult(result.model, modified=True)

        catalog = registry(IDLE, wrappers=[Break()])
        with pytest.raises(StepFailed, match="uses 'h', which is not defined before it"):
            transform(chain(), ["idle"], catalog, Context(catalog=catalog))

    def test_a_plugin_may_run_a_step_in_another_way(self):
        class Skip:
            @hookimpl
            def onnxpress_run_step(self, step: Step, model: ir.Model) -> ir.passes.PassResult | None:
                return ir.passes.PassResult(model, modified=False) if step.name == "forbid" else None

        catalog = registry(FORBID, NEGATE, wrappers=[Skip()])
        after, record = transform(chain(), ["forbid", "negate"], catalog, Context(catalog=catalog))
        assert [step.modified for step in record.steps] == [False, True]
        assert len(after.graph) == 3

    def test_a_registry_serves_many_runs_and_keeps_nothing(self):
        catalog = registry(NEGATE, FORBID)
        plugins = catalog.manager.list_name_plugin()
        for step in ("negate", "forbid", "negate"):
            try:
                transform(chain(), [step], catalog, Context(catalog=catalog))
            except StepFailed:
                assert step == "forbid"
        assert catalog.manager.list_name_plugin() == plugins


@pytest.fixture(autouse=True)
def _no_leftovers(tmp_path: Path) -> Iterator[None]:
    yield
    assert not list(tmp_path.rglob(".onnxpress-*"))


def test_an_output_keeps_the_dimensions_it_declares() -> None:
    text = "g (float[N,4] x) => (float[N,4] y) <int64[2] s = {-1,4}> { r = Reshape(x, s) y = Relu(r) }"

    class Renew(ir.passes.InPlacePass):
        def call(self, model: ir.Model) -> ir.passes.PassResult:
            old = model.graph.outputs[0]
            made = ir.node("Relu", [old.producer().inputs[0]])  # type: ignore[union-attr]
            made.outputs[0].name, old.name = "y", "old"
            model.graph.append(made)
            model.graph.outputs[0] = made.outputs[0]
            return ir.passes.PassResult(model, True)

    before = model(text)
    after = before.clone()
    Renew()(after)
    settle(after, before)
    assert str(after.graph.outputs[0].shape) == "[N,4]"
