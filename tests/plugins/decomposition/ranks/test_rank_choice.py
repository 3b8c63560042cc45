"""Every rule on one small network, with what it promises; the reasons for what it leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from calibrated import graph, numbers
from low_rank_networks import Images, kernel, network
from made_candidates import candidate
from onnxpress.records import Notes
from onnxpress.testing import apply
from onnxpress_plugins.decomposition.candidates import Candidate
from onnxpress_plugins.decomposition.decomposing import DECOMPOSE
from onnxpress_plugins.decomposition.ranks.acceptance import Acceptance
from onnxpress_plugins.decomposition.ranks.rank_choice import Policy, Rule, choose


def layers_of(**options: Any) -> tuple[dict[str, Any], dict[str, str], Notes]:
    notes = apply(DECOMPOSE, network(noise=0.3), **options)[1]
    return notes.details["layers"], {entry.node: entry.reason for entry in notes.declined}, notes


class TestRules:
    def test_ratio_gives_every_layer_its_share(self) -> None:
        layers, _, _ = layers_of(policy="ratio", ratio=0.4, max_error=1.0)
        assert layers and all(own["macs"][1] <= 0.4 * own["macs"][0] for own in layers.values())

    def test_ratio_can_be_of_time(self) -> None:
        layers, _, _ = layers_of(policy="ratio", ratio=0.6, cost="time", max_error=1.0)
        assert layers and all(own["seconds"][1] <= 0.6 * own["seconds"][0] for own in layers.values())

    def test_energy_keeps_to_an_error_with_the_cheapest_stack(self) -> None:
        layers, reasons, _ = layers_of(policy="energy", energy=0.3, max_error=1.0)
        assert layers and all(own["error"] <= 0.3 for own in layers.values())
        rough, _, _ = layers_of(policy="energy", energy=0.6, max_error=1.0)
        assert all(rough[name]["macs"][1] <= own["macs"][1] for name, own in layers.items())
        _, reasons, _ = layers_of(policy="energy", energy=0.001)
        assert reasons["a"].startswith("what is quicker makes an error of ")
        assert reasons["a"].endswith("% or more, and 0.1% is to be kept to")

    def test_evbmf_finds_what_stands_above_noise(self) -> None:
        notes = apply(DECOMPOSE, network(), policy="evbmf", step=4)[1]
        assert {name: own["ranks"] for name, own in notes.details["layers"].items()} == {"a": [12], "b": [16]}

    def test_amct_takes_its_ranks_and_judges_nothing(self) -> None:
        layers, reasons, _ = layers_of(policy="amct", max_error=0.0)
        assert not layers and reasons["a"] == "AMCT leaves it as it is: it is too small"
        wide = graph("y = Conv(x, w)", x="float[N,64,12,12] x", y="float[N,64,10,10] y", w=numbers(64, 64, 3, 3))
        notes = apply(DECOMPOSE, wide, policy="amct", max_error=0.0)[1]
        assert notes.details["layers"]["y"]["ranks"] == [32] and notes.details["layers"]["y"]["first_axes"] == [0]

    @pytest.mark.parametrize(("policy", "form"), [("amct", "spatial"), ("evbmf", "spatial"), ("evbmf", "tucker2")])
    def test_ranks_above_noise_are_those_of_the_weights_with_data_too(self, policy: str, form: str) -> None:
        weight = kernel(80, 64, 3, 3, rank=40, noise=0.3)
        wide = graph("y = Conv(x, w)", x="float[N,64,12,12] x", y="float[N,80,10,10] y", w=weight)
        moving = np.array([1] * 10 + [0.01] * 54, np.float32)[:, None, None]
        data = [{"x": moving * numbers(1, 64, 12, 12, seed=seed)} for seed in range(4)]
        options = {"policy": policy, "form": form, "step": 1, "max_error": 1.0, "min_gain": 0.0}
        found = [apply(DECOMPOSE, wide, data=own, **options)[1].details["layers"]["y"]["ranks"] for own in (None, data)]
        assert found[0] == found[1]

    def test_ranks_are_taken_as_they_are_given_and_nothing_else_is_done(self) -> None:
        layers, reasons, _ = layers_of(policy="ranks", ranks=["a: 5", "<Conv>: 7", "b: 96"])
        assert {name: own["ranks"] for name, own in layers.items()} == {"a": [7], "b": [96], "c": [7]}
        assert reasons == {"y": "no ranks are given for it"}

    def test_given_ranks_go_before_any_rule(self) -> None:
        layers, _, _ = layers_of(policy="budget", ranks=["a: 90"])
        assert layers["a"]["ranks"] == [90] and layers["b"]["macs"][1] < layers["b"]["macs"][0]
        layers, _, _ = layers_of(policy="amct", ranks=["a: 8x9"], form="tucker2")
        assert layers["a"]["ranks"] == [8, 9]

    @pytest.mark.parametrize("cost", ["multiplications", "time"])
    def test_budget_is_kept_together(self, cost: str) -> None:
        layers, _, notes = layers_of(budget=0.5, cost=cost, max_error=1.0)
        before, after = notes.details["macs" if cost == "multiplications" else "seconds"]
        assert layers and after <= 0.52 * before

    def test_a_budget_that_errors_do_not_allow(self) -> None:
        _, reasons, notes = layers_of(budget=0.1, max_error=0.2)
        assert (
            "of their multiplications, not 10%, for what is cheaper errs too much; raise 'max_error'"
            in notes.warnings[0]
        )
        assert reasons["y"] == "no stack of smaller layers saves 10% of its time"

    @pytest.mark.parametrize("form", ["spatial", "channel", "tucker2", "auto"])
    def test_every_form(self, form: str) -> None:
        layers, _, _ = layers_of(form=form, max_error=1.0, budget=0.7)
        assert layers
        assert form == "auto" or {own["form"] for own in layers.values()} <= {form, "low_rank"}

    def test_auto_errs_least_at_equal_cost(self) -> None:
        errors = {
            form: layers_of(form=form, policy="ratio", ratio=0.5, max_error=1.0)[0]["a"]["error"]
            for form in ("spatial", "channel", "tucker2", "auto")
        }
        assert errors["auto"] == min(errors.values())


def policy(rule: Rule = "budget", *, max_error: float = 1.0, budget: float = 0.5) -> Policy:
    return Policy(rule=rule, budget=budget, acceptance=Acceptance(max_error=max_error, min_gain=0.1))


def ranks(candidates: Sequence[Candidate], weights: Sequence[float], budget: float = 0.5) -> list[int | str]:
    sensitivities = {one.node: weight for one, weight in zip(candidates, weights, strict=True)}
    chosen = choose(candidates, policy(budget=budget), sensitivities, Notes())
    return [own if isinstance(own, str) else own.stack.ranks[0] for own in chosen]


STEPS = [(0.2, 0.04), (0.4, 0.02), (0.8, 0.001)]


class TestBudget:
    def test_what_the_network_minds_gets_more(self) -> None:
        assert ranks([candidate(STEPS), candidate(STEPS)], [1, 1]) == [2, 2]
        assert ranks([candidate(STEPS), candidate(STEPS)], [10, 1]) == [3, 1]
        assert ranks([candidate(STEPS), candidate(STEPS)], [1, 10]) == [1, 3]

    def test_layers_with_nothing_quicker_are_not_part_of_it(self) -> None:
        found = ranks([candidate(STEPS), candidate([], dense=100.0)], [1, 1], budget=0.4)
        assert found == [2, "no stack of smaller layers saves 10% of its time"]

    def test_enough_for_all_leaves_all_alone(self) -> None:
        assert ranks([candidate(STEPS)], [1], budget=1.0) == ["the budget has room for it as it is"]

    @pytest.mark.parametrize(
        ("max_error", "sentence"),
        [
            (1.0, "keep at least 20% of their multiplications, not 10%, for what is cheaper has ranks below 'step'"),
            (0.15, "keep at least 40% of their multiplications, not 10%, for what is cheaper errs too much"),
        ],
    )
    def test_a_budget_that_cannot_be_kept(self, max_error: float, sentence: str) -> None:
        notes = Notes()
        choose([candidate(STEPS)], policy(max_error=max_error, budget=0.1), {}, notes)
        (warning,) = notes.warnings
        assert warning.startswith(f"layers that can be decomposed {sentence}")

    def test_an_error_above_the_cap_is_no_option_and_the_reason_says_so(self) -> None:
        (found,) = choose([candidate([(0.2, 0.09)])], policy(max_error=0.1), {}, Notes())
        assert found == "decomposing it makes an error of 30.0%, and 10.0% is the most that is allowed"


def test_a_1x1_kernel_at_full_rank_costs_more_than_it_was() -> None:
    made = graph("y = Conv(x, w)", x="float[N,64,16,16] x", y="float[N,64,16,16] y", w=kernel(64, 64, 1, 1, rank=64))
    notes = apply(DECOMPOSE, made, policy="energy", energy=0.0, min_gain=0.0, max_error=1.0, step=1, form="auto")[1]
    assert not notes.details["layers"]
    assert notes.declined[0].reason.endswith("and 0.0% is to be kept to")


def test_sensitivities_are_of_a_data_set_that_is_there() -> None:
    notes = apply(DECOMPOSE, network(noise=0.3), data=Images(), max_error=1.0, budget=0.4)[1]
    assert np.isclose(notes.details["macs"][1] / notes.details["macs"][0], 0.4, atol=0.1)
