from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

import onnxpress_backends
import onnxpress_frontends
import onnxpress_plugins
from onnxpress import hookimpl
from onnxpress.errors import Conflict, InvalidModel, InvalidOption, InvalidPlugin, UnknownName
from onnxpress.kinds import Backend, Context, Frontend, Observer, Pass
from onnxpress.testing import apply, assert_equivalent, check_plugin, model

SCALE = "agraph (float[N,4] x) => (float[N,4] y) <float[4] w = {1,2,3,4}> { y = Mul(x, w) }"


class Rescale(ir.passes.InPlacePass):
    """Multiplies every weight; what it is told decides how well it behaves."""

    def __init__(self, context: Context, factor: float, overwrite: bool) -> None:
        super().__init__()
        self.context, self.factor, self.overwrite = context, factor, overwrite

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        value = model.graph.initializers["w"]
        array = value.const_value.numpy()
        if self.overwrite:
            array *= self.factor
        else:
            value.const_value = ir.tensor(array * np.float32(self.factor), name="w")
        self.context.notes.count("weights rescaled")
        return ir.passes.PassResult(model, modified=True)


def build(context: Context, *, factor: float = 2.0, overwrite: bool = False) -> ir.passes.PassBase:
    return Rescale(context, factor, overwrite)


RESCALE = Pass(name="rescale", summary="Multiplies the weights.", build=build)


class TestModel:
    def test_text_becomes_a_verified_model_of_opset_17(self):
        graph = model(SCALE)
        assert graph.opset_imports == {"": 17}
        assert str(graph.graph.outputs[0].shape) == "[N,4]"

    def test_a_header_of_ones_own(self):
        assert model(f'<ir_version: 8, opset_import: ["" : 13]> {SCALE}').opset_imports == {"": 13}

    def test_initialisers_replace_those_declared_and_inputs(self):
        graph = model(
            "agraph (float[N,2] x, float[2] b) => (float[N,2] y) <float[2] w = {1,1}> { h = Mul(x, w) y = Add(h, b) }",
            w=np.array([3, 4], np.float32),
            b=np.array([5, 6], np.float32),
        )
        assert [value.name for value in graph.graph.inputs] == ["x"]
        assert {name: value.const_value.numpy().tolist() for name, value in graph.graph.initializers.items()} == {
            "w": [3, 4],
            "b": [5, 6],
        }

    @pytest.mark.parametrize(
        ("text", "initializers", "sentence"),
        [
            ("agraph (float[N] x) => (float[N] y) { y = ", {}, "the text is no model: "),
            (
                "agraph (float[N] x) => (float[N] y) { y = Relu(z) }",
                {},
                "node '' (Relu) uses 'z', which is not defined",
            ),
            (SCALE, {"v": np.zeros(4, np.float32)}, "the text has no input or initialiser called 'v'"),
            (SCALE, {"w": np.zeros((2, 4, 4, 4), np.float32)}, "shape inference failed: "),
        ],
        ids=["syntax", "dangling", "unknown", "shape"],
    )
    def test_text_that_is_no_model(self, text: str, initializers: dict[str, Any], sentence: str):
        with pytest.raises(InvalidModel) as caught:
            model(text, **initializers)
        assert str(caught.value).startswith(sentence)


class TestApply:
    def test_the_pass_runs_on_a_copy_and_takes_notes(self):
        before = model(SCALE)
        after, notes = apply(RESCALE, before, factor="3")
        assert after.graph.initializers["w"].const_value.numpy().tolist() == [3, 6, 9, 12]
        assert before.graph.initializers["w"].const_value.numpy().tolist() == [1, 2, 3, 4]
        assert notes.counts == {"weights rescaled": 1}

    def test_options_are_checked(self):
        with pytest.raises(InvalidOption, match=r"^pass 'rescale' has no option 'facto'; did you mean 'factor'[?]$"):
            apply(RESCALE, model(SCALE), facto=3)

    def test_writing_into_the_weights_of_the_original_is_caught(self):
        original = model(SCALE, w=np.ones(4, np.float32))
        with pytest.raises(ValueError, match="read-only"):
            apply(RESCALE, original, overwrite=True)

    def test_a_changed_interface_is_caught(self):
        class Rename(ir.passes.InPlacePass):
            def call(self, model: ir.Model) -> ir.passes.PassResult:
                model.graph.inputs[0].name = "renamed"
                return ir.passes.PassResult(model, modified=True)

        rename = Pass(name="rename", summary="Renames.", build=lambda context: Rename())
        with pytest.raises(InvalidModel, match=r"^it changed the inputs or outputs from \(\['x'\], "):
            apply(rename, model(SCALE))

    def test_the_installed_plugins_can_be_looked_up(self):
        def look(context: Context) -> ir.passes.PassBase:
            return context.catalog.get(Observer, "no-such-observer")  # type: ignore[return-value]

        with pytest.raises(UnknownName, match=r"^no observer is called 'no-such-observer'"):
            apply(Pass(name="look", summary="Looks.", build=look), model(SCALE))


class TestAssertEquivalent:
    FEEDS = {"x": np.ones((2, 4), np.float32)}  # noqa: RUF012

    def test_equal_models_are(self):
        assert_equivalent(model(SCALE), model(SCALE), self.FEEDS, rtol=0, atol=0)

    def test_a_difference_names_the_output(self):
        with pytest.raises(AssertionError, match="output 'y'"):
            assert_equivalent(model(SCALE), apply(RESCALE, model(SCALE))[0], self.FEEDS, rtol=1e-3, atol=1e-3)

    def test_within_the_tolerance_is_equivalent(self):
        after, _ = apply(RESCALE, model(SCALE), factor=1.001)
        assert_equivalent(model(SCALE), after, self.FEEDS, rtol=2e-3, atol=0)
        with pytest.raises(AssertionError):
            assert_equivalent(model(SCALE), after, self.FEEDS, rtol=5e-4, atol=0)

    def test_other_outputs_are_no_equivalence(self):
        other = model("agraph (float[N,4] x) => (float[N,4] z) { z = Relu(x) }")
        with pytest.raises(AssertionError, match=r"outputs changed from \['y'\] to \['z'\]"):
            assert_equivalent(model(SCALE), other, self.FEEDS, rtol=1, atol=1)

    def test_not_a_number_is_a_difference(self):
        divide = model("agraph (float[N,4] x) => (float[N,4] y) { z = Sub(x, x) y = Div(z, z) }")
        with pytest.raises(AssertionError):
            assert_equivalent(model(SCALE), divide, self.FEEDS, rtol=1, atol=1)


def plugin(hook: str, *offers: object) -> object:
    @hookimpl(specname=hook)
    def implementation() -> Iterable[object]:
        return offers

    return SimpleNamespace(__name__="mine", implementation=implementation)


class TestCheckPlugin:
    @pytest.mark.parametrize("built_in", [onnxpress_plugins, onnxpress_frontends, onnxpress_backends])
    def test_the_built_in_plugins_keep_the_contract(self, built_in: object):
        assert sum(check_plugin(built_in).values()) > 0

    def test_what_is_offered_is_counted(self):
        assert check_plugin(plugin("onnxpress_passes", RESCALE)) == {"pass": 1}

    @pytest.mark.parametrize(
        ("offers", "sentence"),
        [
            (
                [Pass(name="Re_scale", summary="Does.", build=build)],
                "pass 'Re_scale': a name is kebab-case, like 'fold-batch-norm'",
            ),
            ([Pass(name="rescale", summary="", build=build)], "pass 'rescale' needs a summary of one line"),
            ([Pass(name="rescale", summary="a\nb", build=build)], "pass 'rescale' needs a summary of one line"),
            (["rescale"], "onnxpress_passes of plugin 'mine' must yield Pass, not str"),
        ],
    )
    def test_a_breach_is_one_sentence(self, offers: list[Any], sentence: str):
        with pytest.raises(InvalidPlugin) as caught:
            check_plugin(plugin("onnxpress_passes", *offers))
        assert str(caught.value) == sentence

    def test_an_option_without_a_type(self):
        def untyped(context, *, factor=2):  # type: ignore[no-untyped-def]
            raise AssertionError

        with pytest.raises(InvalidPlugin, match=r"^option 'factor' of .*untyped has no type$"):
            check_plugin(plugin("onnxpress_passes", Pass(name="p", summary="Does.", build=untyped)))

    def test_a_reference_with_other_options_than_load(self):
        def load(path: Path, *, opset: int = 17) -> ir.Model:
            raise AssertionError

        def reference(path: Path) -> Iterator[None]:
            raise AssertionError

        reader = Frontend(name="f", summary="Reads.", accepts=lambda path: False, load=load, reference=reference)
        with pytest.raises(InvalidPlugin) as caught:
            check_plugin(plugin("onnxpress_frontends", reader))
        assert str(caught.value) == "frontend 'f': 'reference' must have the same options as 'load'"

    @pytest.mark.parametrize("emit_default", [None, 17])
    def test_a_check_with_other_options_than_emit(self, emit_default: int | None):
        def emit(model: ir.Model, path: Path, *, opset: int | None = emit_default) -> list[Path]:
            raise AssertionError

        def check(model: ir.Model, path: Path, *, opset: int | None = None) -> None:
            raise AssertionError

        writer = plugin("onnxpress_backends", Backend(name="b", summary="Writes.", emit=emit, check=check))
        if emit_default is None:
            assert check_plugin(writer) == {"backend": 1}
            return
        with pytest.raises(InvalidPlugin) as caught:
            check_plugin(writer)
        assert str(caught.value) == "backend 'b': option 'opset' of 'check' must be one of 'emit', too"

    def test_a_name_twice(self):
        with pytest.raises(Conflict, match=r"^pass 'rescale' is offered by both 'mine' and 'mine'"):
            check_plugin(plugin("onnxpress_passes", RESCALE, RESCALE))

    def test_a_misspelt_hook(self):
        with pytest.raises(InvalidPlugin, match=r"^plugin 'mine' implements a hook that does not exist"):
            check_plugin(plugin("onnxpress_pases", RESCALE))
