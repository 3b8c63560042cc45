from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxpress.errors import InvalidOption, InvalidPlugin
from onnxpress.options import bind, schema


def example(
    context: object,
    *,
    observer: Literal["minmax", "mse"] = "minmax",
    samples: int = 64,
    percentile: float = 99.9,
    exclude: tuple[str, ...] = (),
    save: Path | None = None,
    fast: bool = False,
) -> None:
    raise AssertionError("binding never calls the function")


def only(annotation: object) -> Callable[..., None]:
    """A function whose one option, `x`, has the given type."""

    def function(*, x: int) -> None:
        raise AssertionError("binding never calls the function")

    function.__annotations__["x"] = annotation
    return function


def bound(annotation: object, value: object) -> Any:
    return bind("pass 'p'", only(annotation), {"x": value})["x"]


def refusal(owner: str, function: Callable[..., Any], given: dict[str, Any]) -> str:
    with pytest.raises(InvalidOption) as caught:
        bind(owner, function, given)
    return str(caught.value)


def test_the_keyword_only_parameters_are_the_schema():
    options = schema(example)
    assert [(option.name, option.type_name, option.required) for option in options] == [
        ("observer", "'minmax' or 'mse'", False),
        ("samples", "int", False),
        ("percentile", "number", False),
        ("exclude", "list of str", False),
        ("save", "path or none", False),
        ("fast", "bool", False),
    ]
    assert options[1].default == 64


def test_the_docstring_tells_what_an_option_means():
    def load(source: object, *, depth: int = 3, silent: bool = False) -> None:
        """Load.

        Args:
            source: Where it comes from.
            depth: How deep to go,
                at most.  Not: deeper.

        Raises:
            ValueError: depth: no.
        """

    assert [option.meaning for option in schema(load)] == ["How deep to go, at most. Not: deeper.", ""]


def test_an_option_without_a_type_is_the_plugin_authors_mistake():
    def build(context: object, *, depth=3):  # type: ignore[no-untyped-def]
        raise AssertionError

    with pytest.raises(InvalidPlugin, match=r"^option 'depth' of .*build has no type$"):
        schema(build)


def test_an_annotation_that_cannot_be_evaluated_is_the_plugin_authors_mistake():
    with pytest.raises(InvalidPlugin, match=r"option 'x' of .* has type 'Nowhere', which cannot be evaluated: "):
        schema(only("Nowhere"))


def test_a_type_that_no_command_line_can_give_is_the_plugin_authors_mistake():
    with pytest.raises(InvalidPlugin, match=r"option 'x' of .* has type dict\[str, int\], which no option can have; "):
        schema(only(dict[str, int]))


def test_bind_converts_and_leaves_defaults_to_the_function():
    given = {"samples": "8", "exclude": "a,b", "save": "ranges.json", "fast": "yes", "observer": "mse"}
    assert bind("pass 'calibrate'", example, given) == {
        "samples": 8,
        "exclude": ("a", "b"),
        "save": Path("ranges.json"),
        "fast": True,
        "observer": "mse",
    }


def test_dashes_and_underscores_are_the_same():
    def build(*, per_channel: bool) -> None:
        raise AssertionError

    assert bind("pass 'p'", build, {"per-channel": True}) == {"per_channel": True}


def test_an_unknown_option_names_the_nearest():
    assert refusal("pass 'calibrate'", example, {"observe": 1}) == (
        "pass 'calibrate' has no option 'observe'; did you mean 'observer'?"
    )


def test_an_unknown_option_with_nothing_near_lists_all():
    assert refusal("pass 'calibrate'", example, {"zzz": 1}) == (
        "pass 'calibrate' has no option 'zzz'; its options: observer, samples, percentile, exclude, save, fast"
    )


def test_a_pass_without_options_says_so():
    assert refusal("pass 'p'", lambda context: None, {"x": 1}) == "pass 'p' has no option 'x'; its options: none"


@pytest.mark.parametrize(
    ("annotation", "in_memory"),
    [
        (object, True),
        (object | None, True),
        (list[object], True),
        (str | None, False),
        (tuple[int, ...], False),
        (Path, False),
        (Literal["a", "b"], False),
        (list, False),
        (object | str, False),
    ],
)
def test_an_object_is_for_python_alone(annotation: object, in_memory: bool):
    (option,) = schema(only(annotation))
    assert option.in_memory is in_memory


def test_an_object_is_passed_on_as_it_is():
    value = object()
    assert bound(object | None, value) is value and bound(object | None, None) is None


def test_a_missing_option_is_named_with_its_type():
    assert refusal("pass 'p'", only(list[int]), {}) == "pass 'p' needs option 'x' (list of int)"


def test_the_same_option_twice_is_refused():
    def build(*, a_b: int) -> None:
        raise AssertionError

    assert refusal("pass 'p'", build, {"a-b": 1, "a_b": 2}) == "pass 'p': option 'a_b' is given twice"


@pytest.mark.parametrize(
    ("annotation", "value", "sentence"),
    [
        (int, 1.5, "must be int, not 1.5"),
        (int, "many", "must be int, not 'many'"),
        (int, True, "must be int, not True"),
        (float, "wide", "must be number, not 'wide'"),
        (float, False, "must be number, not False"),
        (bool, 1, "must be bool, not 1"),
        (bool, "perhaps", "must be bool, not 'perhaps'"),
        (str, 3, "must be str, not 3"),
        (Path, 3, "must be path, not 3"),
        (Literal["a", "b"], "c", "must be 'a' or 'b', not 'c'"),
        (Literal[4, 8], True, "must be 4 or 8, not True"),
        (tuple[int, ...], "1,b", "must be list of int, not '1,b'"),
        (list[str], 3, "must be list of str, not 3"),
        (tuple[int, int], [1, 2, 3], "must be list of 2 int, not [1, 2, 3]"),
        (int | None, "few", "must be int or none, not 'few'"),
        (Optional[int], "few", "must be int or none, not 'few'"),  # noqa: UP045
        (int | Literal["auto"], "few", "must be int or 'auto', not 'few'"),
    ],
)
def test_an_ill_typed_option_names_the_type_and_the_value(annotation: object, value: object, sentence: str):
    assert refusal("pass 'p'", only(annotation), {"x": value}) == f"pass 'p': option 'x' {sentence}"


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (bool, "No", False),
        (int | None, "none", None),
        (int | None, None, None),
        (int | Literal["auto"], "auto", "auto"),
        (int | Literal["auto"], "3", 3),
        (Literal[4, 8], "8", 8),
        (tuple[str, ...], "", ()),
        (list[str], "conv*, fc", ["conv*", "fc"]),
        (tuple[int, int], "224,160", (224, 160)),
        (tuple, ["a"], ("a",)),
        (float, 3, 3.0),
        (str, "none", "none"),
    ],
)
def test_a_value_is_taken_as_the_type_says(annotation: object, value: object, expected: object):
    result = bound(annotation, value)
    assert result == expected
    assert type(result) is type(expected)


words = st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1).filter(
    lambda word: word == word.strip()
)


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (int, st.integers()),
        (float, st.floats(allow_nan=False)),
        (str, st.text()),
        (bool, st.booleans()),
        (Path, words.map(Path)),
        (int | None, st.none() | st.integers()),
        (tuple[int, ...], st.lists(st.integers()).map(tuple)),
        (list[float], st.lists(st.floats(allow_nan=False))),
        (tuple[str, ...], st.lists(words).map(tuple)),
    ],
    ids=str,
)
@given(data=st.data())
def test_a_value_and_its_spelling_on_a_command_line_are_the_same(
    annotation: object, values: st.SearchStrategy[Any], data: st.DataObject
):
    value = data.draw(values)
    assert bound(annotation, value) == value
    assert bound(annotation, spelling(value)) == value


def spelling(value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, (tuple, list)):
        return ",".join(spelling(item) for item in value)
    return str(value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(given=st.dictionaries(st.sampled_from([option.name for option in schema(example)]), anything))
def test_nothing_but_a_refusal_comes_of_any_value(given: dict[str, Any]):
    try:
        result = bind("pass 'p'", example, given)
    except InvalidOption as error:
        assert str(error).startswith("pass 'p': option ")
        return
    assert set(result) == set(given)
