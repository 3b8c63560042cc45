"""What is told: layer by layer, all together, and as the file beside the model."""

from __future__ import annotations

import json

import pytest

from low_rank_networks import network
from onnxpress.testing import apply
from onnxpress_plugins.decomposition.decomposing import DECOMPOSE


def test_sums_are_those_of_the_layers() -> None:
    _, notes = apply(DECOMPOSE, network(), exclude_nodes=["c"])
    details = notes.details
    dense = {"a": 48 * 32 * 9 * 16 * 16, "b": 64 * 48 * 9 * 8 * 8, "y": 6 * 64}
    assert {name: own["macs"][0] for name, own in details["layers"].items()} == {
        name: dense[name] for name in ("a", "b")
    }
    saved = sum(own["macs"][0] - own["macs"][1] for own in details["layers"].values())
    assert details["macs"] == [sum(dense.values()), sum(dense.values()) - saved]
    shorter = sum(own["seconds"][0] - own["seconds"][1] for own in details["layers"].values())
    assert details["seconds"][1] == pytest.approx(details["seconds"][0] - shorter)
    assert (details["clock"], details["errors"]) == ("modelled", "weights")


def test_the_tally_is_in_words() -> None:
    _, notes = apply(DECOMPOSE, network())
    layers = notes.details["layers"]
    assert notes.counts["Conv decomposed (spatial)"] == len(layers)
    for what, name in (("macs", "multiplications"), ("seconds", "modelled time")):
        before, after = notes.details[what]
        assert notes.counts[f"% of {name} left in 4 layers"] == round(100 * after / before)


def test_the_tally_of_one_layer() -> None:
    _, notes = apply(DECOMPOSE, network(), only_nodes=["a"])
    assert "% of multiplications left in 1 layer" in notes.counts


def test_a_file_is_left_whatever_was_done() -> None:
    _, notes = apply(DECOMPOSE, network())
    document = json.loads(notes.files[".decomposition.json"])
    assert [layer["name"] for layer in document["layers"]] == list(notes.details["layers"])
    _, notes = apply(DECOMPOSE, network(), policy="ranks")
    assert json.loads(notes.files[".decomposition.json"])["layers"] == []
    assert not notes.counts
