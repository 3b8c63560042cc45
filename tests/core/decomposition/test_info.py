from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.decomposition import info
from onnxpress.decomposition.layer_stacks import Layer, Stack
from onnxpress.errors import InvalidData

CONV = Stack(
    layer=Layer(
        name="conv1",
        operator="Conv",
        weight="conv1.weight",
        weight_shape=(64, 32, 3, 5),
        strides=(2, 1),
        pads=(1, 2, 1, 2),
        dilations=(1, 1),
        bias="conv1.bias",
    ),
    form="spatial",
    ranks=(32,),
    first_axes=(0,),
)
GEMM = Stack(
    layer=Layer(name="fc", operator="Gemm", weight="fc.weight", weight_shape=(10, 64), inputs_first=True),
    form="low_rank",
    ranks=(8,),
    new_bias=True,
)

ONE = """\
{
 "format": "onnxpress-decomposition",
 "version": 1,
 "layers": [
  {
   "name": "conv1",
   "operator": "Conv",
   "weight": "conv1.weight",
   "weight_shape": [64, 32, 3, 5],
   "strides": [2, 1],
   "pads": [1, 2, 1, 2],
   "dilations": [1, 1],
   "auto_pad": "NOTSET",
   "bias": "conv1.bias",
   "inputs_first": false,
   "form": "spatial",
   "ranks": [32],
   "first_axes": [0],
   "new_bias": false,
   "parts": [
    {
     "name": "conv1/decom_first",
     "weight": "conv1/decom_first/weight",
     "bias": "",
     "weight_shape": [32, 32, 3, 1],
     "strides": [2, 1],
     "pads": [1, 0, 1, 0],
     "dilations": [1, 1]
    },
    {
     "name": "conv1/decom_last",
     "weight": "conv1/decom_last/weight",
     "bias": "conv1.bias",
     "weight_shape": [64, 32, 1, 5],
     "strides": [1, 1],
     "pads": [0, 2, 0, 2],
     "dilations": [1, 1]
    }
   ]
  }
 ]
}
"""


@st.composite
def stacks(draw: st.DrawFn) -> Stack:
    """Any stack of any layer."""
    name = draw(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
    axes, size = draw(st.integers(0, 3)), st.integers(1, 5)
    every = tuple(range(axes))

    def each(count: int = axes, least: int = 1) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(least, 5), min_size=count, max_size=count)))

    layer = Layer(
        name=name,
        operator="Conv" if axes else draw(st.sampled_from(["Gemm", "MatMul"])),
        weight=f"{name} weight",
        weight_shape=(draw(size), draw(size), *each()),
        strides=each(),
        pads=draw(st.none() | st.just(each(2 * axes, 0))) if axes else (),
        dilations=each(),
        auto_pad=draw(st.sampled_from(["NOTSET", "SAME_UPPER"])),
        bias=draw(st.sampled_from(["", "b"])),
        inputs_first=draw(st.booleans()),
    )
    form = draw(st.sampled_from(["tucker2", "channel", "spatial"] if axes > 1 else ["tucker2", "channel"]))
    some = draw(st.sets(st.sampled_from(every), min_size=1, max_size=max(axes - 1, 1))) if axes else ()
    first = {"tucker2": (), "channel": every, "spatial": tuple(sorted(some))}[form]
    return Stack(
        layer=layer,
        form=form if axes else "low_rank",  # type: ignore[arg-type]  # drawn from the forms
        ranks=(draw(size), draw(size)) if axes and form == "tucker2" else (draw(size),),
        first_axes=first if axes else (),
        new_bias=draw(st.booleans()),
    )


@given(st.lists(stacks(), max_size=3, unique_by=lambda stack: stack.layer.name))
def test_any_stack_is_read_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, made: list[Stack]) -> None:
    path = tmp_path_factory.mktemp("info") / "m.decomposition.json"
    info.save(made, path)
    assert info.load(path) == tuple(made)
    assert path.read_bytes() == info.text(made).encode() == info.text(info.load(path)).encode()


def test_the_file_byte_for_byte(tmp_path: Path) -> None:
    info.save([CONV], tmp_path / "info.json")
    assert (tmp_path / "info.json").read_bytes().decode() == ONE


def test_names_that_look_like_json(tmp_path: Path) -> None:
    names = ['a "quoted" name', "tab\tnewline\nnull\0", "back\\slash/[1,2  ,3]", "größe 層", "[ 1,\n2 ]", "\u2028"]
    made = [
        Stack(layer=Layer(name=name, operator="MatMul", weight_shape=(4, 4)), form="low_rank", ranks=(2,))
        for name in names
    ]
    info.save(made, tmp_path / "info.json")
    assert [stack.layer.name for stack in info.load(tmp_path / "info.json")] == names
    assert "größe 層" in (tmp_path / "info.json").read_text(encoding="utf-8")


def test_a_bias_of_its_own_is_named_after_the_last_part() -> None:
    parts = json.loads(info.text([GEMM]))["layers"][0]["parts"]
    assert [part["bias"] for part in parts] == ["", "fc/decom_last/bias"]


def test_nothing_was_split(tmp_path: Path) -> None:
    info.save([], tmp_path / "info.json")
    assert info.load(tmp_path / "info.json") == ()


def refusal(path: Path, content: str | bytes) -> str:
    """What is said of a file with this content, without its path."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidData) as caught:
        info.load(path)
    sentence = str(caught.value)
    assert str(path) in sentence and "\n" not in sentence
    return sentence.replace(f"{path}: ", "").replace(f"{path} ", "")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.995])
def test_a_file_that_ends_too_early(tmp_path: Path, share: float) -> None:
    assert refusal(tmp_path / "i", ONE[: int(share * len(ONE))]).startswith("is not valid JSON: ")


@pytest.mark.parametrize("content", [b"\xff\xfe", b"no", "[" * 100_000], ids=["no text", "no JSON", "too deep"])
def test_what_is_no_json(tmp_path: Path, content: bytes | str) -> None:
    assert refusal(tmp_path / "i", content).startswith("is not valid JSON: ")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"^cannot read .*/absent: No such file or directory$"):
        info.load(tmp_path / "absent")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            '{"layers": []}',
            "this is no info file, neither of onnxpress (format 'onnxpress-decomposition') nor of AMCT (a list)",
        ),
        (ONE.replace('"version": 1', '"version": 2'), "this is version 2 of the info file, and 1 is known"),
        (ONE.replace(' "version": 1,\n', ""), "the file has no field 'version'"),
        (ONE.replace('"layers"', '"layer"'), "the file has an unknown field 'layer'; did you mean 'layers'?"),
        (ONE.replace('"ranks": [32]', '"ranks": [32], "ranks": [32]'), "the key 'ranks' is there twice"),
    ],
)
def test_another_file(tmp_path: Path, content: str, sentence: str) -> None:
    assert refusal(tmp_path / "i", content) == sentence


def change(edit: Callable[[dict[str, Any]], object]) -> str:
    document = json.loads(ONE)
    edit(document["layers"][0])
    return json.dumps(document)


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda own: own.pop("name"), "the file, layers[0] has no field 'name'"),
        (lambda own: own.pop("form"), "layer 'conv1' has no field 'form'"),
        (lambda own: own.update(rank=[32]), "layer 'conv1' has an unknown field 'rank'; did you mean 'ranks'?"),
        (
            lambda own: own.update(form="cp"),
            "layer 'conv1': form must be one of spatial, channel, low_rank, tucker2, not 'cp'",
        ),
        (
            lambda own: own.update(operator="ConvTranspose"),
            "layer 'conv1': operator must be one of Conv, Gemm, MatMul, not 'ConvTranspose'",
        ),
        (
            lambda own: own.update(form="channel"),
            "layer 'conv1', [64, 32, 3, 5], has no form 'channel' with the axes [0] first",
        ),
        (
            lambda own: own.update(first_axes=[2]),
            "layer 'conv1', [64, 32, 3, 5], has no form 'spatial' with the axes [2] first",
        ),
        (lambda own: own.update(ranks=[0]), "layer 'conv1': the form 'spatial' has 1 positive ranks, not [0]"),
        (
            lambda own: own.update(ranks=[32, 32]),
            "layer 'conv1': the form 'spatial' has 1 positive ranks, not [32, 32]",
        ),
        (
            lambda own: own.update(ranks=[-1]),
            "layer 'conv1': ranks must be a list of integers that are not negative, not [-1]",
        ),
        (
            lambda own: own.update(auto_pad="SAME"),
            "layer 'conv1': auto_pad must be one of NOTSET, SAME_UPPER, SAME_LOWER, VALID, not 'SAME'",
        ),
        (lambda own: own.update(new_bias=1), "layer 'conv1': new_bias must be true or false, not 1"),
        (lambda own: own.update(weight=7), "layer 'conv1': weight must be a text, not 7"),
        (
            lambda own: own.update(strides=[True, 1]),
            "layer 'conv1': strides must be a list of integers that are not negative, not [True, 1]",
        ),
        (
            lambda own: own.update(strides=[1]),
            "layer 'conv1': a weight of shape [64, 32, 3, 5] goes with 2 strides, not [1]",
        ),
        (
            lambda own: own.update(weight_shape=[64, 0, 3, 5]),
            "layer 'conv1': no Conv has a weight of shape [64, 0, 3, 5]",
        ),
        (
            lambda own: own.update(operator="Gemm"),
            "layer 'conv1': no Gemm has a weight of shape [64, 32, 3, 5]",
        ),
        (lambda own: own.update(parts=own["parts"][:1]), "layer 'conv1': the form 'spatial' has 2 parts, not 1"),
        (lambda own: own.update(parts={}), "layer 'conv1', parts must be a list, not {}"),
        (
            lambda own: own["parts"][0].update(weight_shape=[16, 32, 3, 1]),
            "layer 'conv1', parts[0]: weight_shape must be [32, 32, 3, 1] for the layer's form, not [16, 32, 3, 1]",
        ),
        (
            lambda own: own.update(ranks=[16]),
            "layer 'conv1', parts[0]: weight_shape must be [16, 32, 3, 1] for the layer's form, not [32, 32, 3, 1]",
        ),
        (
            lambda own: own["parts"][1].update(name="../elsewhere"),
            "layer 'conv1', parts[1]: name must be 'conv1/decom_last' for the layer's form, not '../elsewhere'",
        ),
        (
            lambda own: own["parts"][1].update(scale=1),
            "layer 'conv1', parts[1] has an unknown field 'scale'; "
            "known: bias, dilations, name, pads, strides, weight, weight_shape",
        ),
    ],
)
def test_a_file_that_contradicts_itself(
    tmp_path: Path, edit: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    assert refusal(tmp_path / "i", change(edit)) == sentence


def test_the_same_layer_twice(tmp_path: Path) -> None:
    assert refusal(tmp_path / "i", info.text([CONV, GEMM, CONV])) == "layer 'conv1' is split twice"


@given(place=st.integers(0, len(ONE) - 1), put=st.characters(max_codepoint=127))
def test_a_file_with_a_wrong_character_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, put: str
) -> None:
    path = tmp_path_factory.mktemp("info") / "i"
    path.write_text(ONE[:place] + put + ONE[place + 1 :], encoding="utf-8")
    try:
        assert len(info.load(path)) == 1
    except InvalidData as error:
        assert "\n" not in str(error)
