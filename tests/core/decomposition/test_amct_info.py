"""Info files of AMCT's ``auto_decomposition`` for PyTorch.

``amct_info.json`` is one that AMCT's own code wrote (``hicann/amct``, its library built from source), of six
convolutions that go through all of its modes; the others are put together as it puts them together.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onnxpress.decomposition import info
from onnxpress.errors import InvalidData


def entry(
    mode: str,
    first: list[int],
    last: list[int],
    *,
    name: str = "layer1.conv",
    stride: tuple[int, int] = (1, 1),
    **more: object,
) -> dict[str, Any]:
    """One layer, as ``_decompose_one_layer`` puts it together."""
    kernel = [max(sizes) for sizes in zip(first[2:], last[2:], strict=True)]
    return {
        "ori_layer_info": {
            "name": name,
            "in_channels": first[1],
            "out_channels": last[0],
            "kernel_size": kernel,
            "stride": list(stride),
            "dilation": [1, 1],
            "groups": 1,
            **more,
        },
        "mode": mode,
        "decom_nodes": {"first": {"weight_shape": first}, "last": {"weight_shape": last}},
    }


def written(path: Path, *layers: dict[str, Any]) -> Path:
    path.write_text(json.dumps(layers, indent="\t"), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("mode", "first", "last", "axis"),
    [
        ("SCFK", [32, 64, 3, 1], [64, 32, 1, 3], 0),
        ("SCSK", [48, 64, 1, 3], [128, 48, 5, 1], 1),
        ("FCFK", [32, 128, 1, 5], [64, 32, 3, 1], 1),
        ("FCSK", [32, 128, 5, 1], [64, 32, 1, 3], 0),
    ],
)
def test_every_mode(tmp_path: Path, mode: str, first: list[int], last: list[int], axis: int) -> None:
    (stack,) = info.load(written(tmp_path / "i", entry(mode, first, last, stride=(2, 1))))
    assert (stack.form, stack.first_axes, stack.ranks) == ("spatial", (axis,), (first[0],))
    assert [list(part.weight_shape) for part in stack.parts] == [first, last]
    assert [part.strides for part in stack.parts] == [(2, 1) if axis == 0 else (1, 1), (1, 1) if axis == 0 else (2, 1)]
    assert [part.pads for part in stack.parts] == [None, None], "the file does not say"
    assert (stack.layer.name, stack.layer.weight) == ("layer1.conv", "layer1.conv.weight")


def test_what_amct_itself_wrote() -> None:
    stacks = info.load(Path(__file__).with_name("amct_info.json"))
    found = {
        stack.layer.name: (stack.layer.weight_shape, stack.layer.strides, stack.ranks, stack.first_axes)
        for stack in stacks
    }
    assert found == {
        "a.0": ((64, 3, 7, 7), (2, 2), (16,), (0,)),
        "layer1": ((128, 64, 3, 5), (2, 1), (32,), (0,)),
        "layer2": ((64, 128, 5, 3), (1, 1), (32,), (0,)),
        "layer3": ((64, 64, 3, 3), (1, 1), (32,), (0,)),
        "layer4": ((64, 64, 5, 3), (1, 1), (32,), (1,)),
        "layer5": ((64, 96, 3, 5), (1, 1), (32,), (1,)),
    }


def test_it_can_be_written_as_our_own(tmp_path: Path) -> None:
    stacks = info.load(written(tmp_path / "i", entry("SCFK", [32, 64, 3, 1], [64, 32, 1, 3])))
    info.save(stacks, tmp_path / "own")
    assert info.load(tmp_path / "own") == stacks


SQUARE = ([32, 64, 3, 1], [64, 32, 1, 3])


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda own: own["ori_layer_info"].pop("name"), "layers[0], ori_layer_info has no field 'name'"),
        (lambda own: own.pop("decom_nodes"), "layer 'layer1.conv' has no field 'decom_nodes'"),
        (lambda own: own["decom_nodes"].pop("last"), "layer 'layer1.conv', decom_nodes has no field 'last'"),
        (
            lambda own: own.update(mode="UNCHANGE"),
            "layer 'layer1.conv': mode must be one of FCFK, FCSK, SCFK, SCSK, not 'UNCHANGE'",
        ),
        (
            lambda own: own["ori_layer_info"].update(groups=2),
            "layer 'layer1.conv' has 2 groups, which no stack can have",
        ),
        (
            lambda own: own["ori_layer_info"].update(in_channels=32),
            "layer 'layer1.conv': mode SCFK makes weights of shape [[32, 32, 3, 1], [64, 32, 1, 3]], "
            "not [[32, 64, 3, 1], [64, 32, 1, 3]]",
        ),
        (
            lambda own: own.update(mode="SCSK"),
            "layer 'layer1.conv': mode SCSK makes weights of shape [[32, 64, 1, 3], [64, 32, 3, 1]], "
            "not [[32, 64, 3, 1], [64, 32, 1, 3]]",
        ),
        (
            lambda own: own["ori_layer_info"].update(stride=1),
            "layer 'layer1.conv': stride must be a list of integers that are not negative, not 1",
        ),
        (
            lambda own: own["ori_layer_info"].update(kernel_size=[3]),
            "layer 'layer1.conv': a weight of shape [64, 64, 3] goes with 1 strides, not [1, 1]",
        ),
        (
            lambda own: own["decom_nodes"]["first"].update(weight_shape=[]),
            "layer 'layer1.conv': the form 'spatial' has 1 positive ranks, not []",
        ),
    ],
)
def test_what_amct_would_not_write(tmp_path: Path, edit: Callable[[dict[str, Any]], object], sentence: str) -> None:
    own = entry("SCFK", *SQUARE)
    edit(own)
    with pytest.raises(InvalidData) as caught:
        info.load(written(tmp_path / "i", own))
    assert str(caught.value) == f"{tmp_path / 'i'}: {sentence}"


def test_a_layer_twice(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"layer 'layer1\.conv' is split twice$"):
        info.load(written(tmp_path / "i", entry("SCFK", *SQUARE), entry("SCFK", *SQUARE)))


def test_a_list_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "i").write_text("[1]")
    with pytest.raises(InvalidData, match=r"layers\[0\] must be an object, not 1$"):
        info.load(tmp_path / "i")
