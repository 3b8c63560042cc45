"""Which observer looks at which tensor."""

from __future__ import annotations

import pytest

from amct_configurations import network
from calibrated import graph, numbers
from onnxpress.errors import InvalidOption, UnknownName
from onnxpress.records import Notes
from onnxpress.registry import Registry
from onnxpress_plugins.quantization.ascend import ASCEND
from onnxpress_plugins.quantization.observer_choice import choose
from onnxpress_plugins.quantization.quantization_plan import plan

REGISTRY = Registry()
TWO_READERS = graph(
    "a = Conv(x, w) b = Conv(x, w) y = Add(a, b)", x="float[N,32,4,4] x", y="float[N,8,4,4] y", w=numbers(8, 32, 1, 1)
)


def test_each_layer_has_what_the_last_rule_says() -> None:
    model, notes = network(), Notes()
    rules = ["<Conv2d>: hfmg num_of_bins=2048", "conv2: mse", "<Linear>: percentile percentile=99 "]
    chosen = choose(REGISTRY, "ifmr", ["asymmetric=false"], rules).of(model, plan(model, ASCEND), notes)
    assert {value.name: str(choice) for value, choice in chosen.items()} == {
        "x": "hfmg num_of_bins=2048",
        "r": "mse",
        "s": "hfmg num_of_bins=2048",
        "e": "ifmr asymmetric=false",
        "f": "percentile percentile=99",
    }
    assert notes.warnings == []


def test_readers_that_differ_are_named_and_the_first_has_it() -> None:
    notes = Notes()
    choices = choose(REGISTRY, "minmax", [], ["b: ifmr search_step=0.02"])
    chosen = choices.of(TWO_READERS, plan(TWO_READERS, ASCEND), notes)
    assert [str(choice) for choice in chosen.values()] == ["minmax"]
    assert notes.warnings == [
        "tensor 'x' has one scale for all that read it, but 'a' asks for minmax, 'b' asks for ifmr search_step=0.02: "
        "the first has it"
    ]


def test_readers_that_agree_are_not_worth_a_word() -> None:
    notes = Notes()
    chosen = choose(REGISTRY, "minmax", [], ["<Conv>: mse"]).of(TWO_READERS, plan(TWO_READERS, ASCEND), notes)
    assert [str(choice) for choice in chosen.values()] == ["mse"]
    assert notes.warnings == []


@pytest.mark.parametrize("rule", ["conv1", "conv1 mse", ": mse", "conv1: "])
def test_a_rule_that_is_none_is_refused(rule: str) -> None:
    with pytest.raises(InvalidOption, match="pass 'calibrate': layer_observers takes LAYER: OBSERVER NAME=VALUE"):
        choose(REGISTRY, "mse", [], [rule])


def test_a_layer_that_is_not_there_is_named() -> None:
    model = network()
    with pytest.raises(InvalidOption, match="layer_observers: no node is called 'conv9'; did you mean 'conv"):
        choose(REGISTRY, "mse", [], ["conv9: mse"]).of(model, plan(model, ASCEND), Notes())


def test_an_observer_is_checked_like_the_general_one() -> None:
    with pytest.raises(UnknownName, match="no observer is called 'mes'"):
        choose(REGISTRY, "mse", [], ["conv1: mes"])
    with pytest.raises(InvalidOption, match="observer 'mse' has no option 'bit'; did you mean 'bits'"):
        choose(REGISTRY, "mse", [], ["conv1: mse bit=4"])
    with pytest.raises(InvalidOption, match="observer_options takes name=value, not 'four'"):
        choose(REGISTRY, "mse", [], ["conv1: mse four"])
