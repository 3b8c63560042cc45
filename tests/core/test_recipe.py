from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.errors import InvalidOption, InvalidRecipe, OnnxpressError, UnknownName
from onnxpress.recipe import Recipe, RecipeStep, built_in, find, load, parse, to_toml

INT8 = Recipe(
    name="mine",
    summary="Eight bits.",
    steps=(RecipeStep("clean-up"), RecipeStep("calibrate", {"observer": "minmax", "samples": 8})),
)


def refusal(error: type[OnnxpressError], function: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(error) as caught:
        function(*arguments, **named)
    return str(caught.value)


def test_a_recipe_is_written_as_a_person_would():
    assert to_toml(INT8) == (
        'summary = "Eight bits."\n\n[[step]]\npass = "clean-up"\n\n'
        '[[step]]\npass = "calibrate"\nobserver = "minmax"\nsamples = 8\n'
    )


names = st.text(st.characters(codec="utf-8"), min_size=1)
plain = st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8"))
steps = st.builds(
    RecipeStep,
    names,
    st.dictionaries(names.filter(lambda name: name != "pass"), plain | st.lists(plain), max_size=4),
)
recipes = st.builds(
    Recipe,
    name=st.just("random"),
    steps=st.lists(steps, min_size=1, max_size=4).map(tuple),
    summary=st.text(st.characters(codec="utf-8")),
    target=st.none() | names,
    ranges=st.none() | names.map(Path),
)


@given(recipe=recipes)
def test_what_is_written_is_read_back(recipe: Recipe):
    assert parse(to_toml(recipe), name="random") == recipe


def test_not_a_number_is_read_back():
    recipe = Recipe(name="r", steps=(RecipeStep("p", {"x": math.nan}),))
    assert math.isnan(parse(to_toml(recipe), name="r").steps[0].options["x"])


def test_none_and_paths_are_written_so_that_options_take_them():
    recipe = Recipe(name="r", steps=(RecipeStep("p", {"limit": None, "save": Path("a/b.json")}),))
    assert parse(to_toml(recipe), name="r").steps[0].options == {"limit": "none", "save": "a/b.json"}


def test_what_toml_cannot_hold_is_refused():
    recipe = Recipe(name="r", steps=(RecipeStep("p", {"x": {1, 2}}),))
    assert refusal(InvalidRecipe, to_toml, recipe) == "{1, 2} cannot be written in a recipe"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[[step]", "recipe r is not valid TOML: "),
        ("x = " + "[" * 5000, "recipe r is not valid TOML: it is nested too deeply"),
        ("x = " + "9" * 5000, "recipe r is not valid TOML: Exceeds the limit"),
        ('[[steps]]\npass = "a"', "recipe r has an unknown key 'steps'; did you mean 'step'?"),
        ("zzz = 1", "recipe r has an unknown key 'zzz'; known: summary, target, ranges, step"),
        ("target = 3", "recipe r: 'target' must be text, not 3"),
        ("", 'recipe r has no steps; write each as [[step]] with pass = "name"'),
        ("step = 4", 'recipe r has no steps; write each as [[step]] with pass = "name"'),
        ("step = [4]", "recipe r: a step is a name, (name, options) or a table with 'pass', not 4"),
        ("[[step]]\nx = 1", "recipe r: a step has no pass; write pass = \"name\" in {'x': 1}"),
        ("[[step]]\npass = 7", 'recipe r: a step has no pass; write pass = "name" in {}'),
    ],
)
def test_what_is_no_recipe_is_refused_in_a_sentence(text: str, sentence: str):
    assert refusal(InvalidRecipe, parse, text, name="r").startswith(sentence)


@given(data=st.data())
def test_a_damaged_recipe_is_read_or_refused(data: st.DataObject):
    text = to_toml(INT8).encode()
    where = data.draw(st.integers(0, len(text) - 1))
    flipped = bytes([text[where] ^ (1 << data.draw(st.integers(0, 7)))])
    damaged = data.draw(st.sampled_from([text[:where], text[:where] + flipped + text[where + 1 :]]))
    try:
        parse(damaged.decode("utf-8", "replace"), name="r")
    except InvalidRecipe as error:
        assert str(error).startswith("recipe r")


def test_a_step_in_python_has_three_spellings():
    recipe = find(["tidy", ("calibrate", {"observer": "mse"}), {"pass": "calibrate", "observer": "mse"}])
    assert recipe.steps == (
        RecipeStep("tidy"),
        RecipeStep("calibrate", {"observer": "mse"}),
        RecipeStep("calibrate", {"observer": "mse"}),
    )


def test_finding_a_recipe_gives_it_back():
    assert find(INT8) is INT8


def test_built_in_recipes_are_found_by_name():
    assert {"convert", "int8"} <= set(built_in())
    assert find("int8") == built_in()["int8"]
    assert all(recipe.summary for recipe in built_in().values())


def test_an_unknown_recipe_names_the_nearest():
    assert refusal(UnknownName, find, "int9") == (
        "no recipe is called 'int9'; did you mean 'int8'? (or give the path of a .toml file)"
    )
    assert refusal(UnknownName, find, "zzz").startswith("no recipe is called 'zzz'; built-in: ")


def test_a_recipe_file_finds_its_ranges_beside_it(tmp_path: Path):
    (tmp_path / "mine.toml").write_text('ranges = "ranges.json"\n[[step]]\npass = "clean-up"\n')
    recipe = load(tmp_path / "mine.toml")
    assert recipe.ranges == tmp_path / "ranges.json"
    assert find(str(tmp_path / "mine.toml")) == recipe


def test_a_missing_recipe_file_is_refused(tmp_path: Path):
    path = tmp_path / "absent.toml"
    assert refusal(InvalidRecipe, find, path) == f"cannot read recipe {path}: No such file or directory"


def test_a_recipe_file_that_is_no_text_is_refused(tmp_path: Path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    assert refusal(InvalidRecipe, load, path).startswith(f"cannot read recipe {path}: 'utf-8' codec can't decode")


def test_options_are_overridden_by_pass_and_name():
    changed = INT8.override({"calibrate.observer": "mse", "calibrate.bins": "64"})
    assert changed.steps[1].options == {"observer": "mse", "samples": 8, "bins": "64"}
    assert INT8.steps[1].options == {"observer": "minmax", "samples": 8}


@pytest.mark.parametrize("key", ["insert-qdq.target", "calibrate", "calibrate.", ".observer", ""])
def test_an_override_for_no_pass_of_the_recipe_is_refused(key: str):
    assert refusal(InvalidOption, INT8.override, {key: 1}) == (
        f"recipe 'mine' has no pass for {key!r}; write PASS.OPTION with one of: clean-up, calibrate"
    )


def test_the_target_is_replaced_in_a_copy():
    assert INT8.with_target("npu").target == "npu"
    assert INT8.target is None
