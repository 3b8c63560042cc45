"""A recipe: the ordered passes a model goes through, as TOML or as a Python list."""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from onnxpress.errors import InvalidOption, InvalidRecipe, UnknownName

StepLike = str | tuple[str, Mapping[str, Any]] | Mapping[str, Any]
"""A step in Python: ``"clean-up"``, ``("calibrate", {"observer": "mse"})`` or ``{"pass": "calibrate", ...}``."""

_KEYS = ("summary", "target", "ranges", "step")


@dataclass(frozen=True)
class RecipeStep:
    """A pass by name, and the options the recipe gives it."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Ordered steps, and what they are for.

    Attributes:
        name: What the user calls it.
        steps: The passes, in order.
        summary: One line.
        target: Name of the target the passes should think of; None leaves the default.
        ranges: A range file to attach before the first step, as `calibrate` saves it.
    """

    name: str
    steps: tuple[RecipeStep, ...]
    summary: str = ""
    target: str | None = None
    ranges: Path | None = None

    def override(self, options: Mapping[str, Any]) -> Recipe:
        """A copy with options changed.

        Args:
            options: Values by ``"pass.option"``.

        Raises:
            InvalidOption: The recipe has no such pass.
        """
        steps = list(self.steps)
        for key, value in options.items():
            name, dot, option = key.partition(".")
            positions = [index for index, step in enumerate(steps) if step.name == name]
            if not dot or not option or not positions:
                known = ", ".join(dict.fromkeys(step.name for step in steps))
                raise InvalidOption(
                    f"recipe {self.name!r} has no pass for {key!r}; write PASS.OPTION with one of: {known}"
                )
            for index in positions:
                steps[index] = replace(steps[index], options={**steps[index].options, option: value})
        return replace(self, steps=tuple(steps))

    def with_target(self, target: str | None) -> Recipe:
        """A copy for another target; None keeps the recipe's own."""
        return replace(self, target=target or self.target)


def built_in() -> dict[str, Recipe]:
    """The recipes that come with onnxpress, by name."""
    folder = files("onnxpress") / "recipes"
    texts = {item.name.removesuffix(".toml"): item.read_text("utf-8") for item in folder.iterdir()}
    return {name: parse(texts[name], name=name) for name in sorted(texts)}


def find(recipe: str | Path | Recipe | Iterable[StepLike]) -> Recipe:
    """A recipe by built-in name, by path of a TOML file, or from Python steps.

    Raises:
        UnknownName: Neither a built-in recipe nor a file.
        InvalidRecipe: The file or a step cannot be understood.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if not isinstance(recipe, (str, Path)):
        return Recipe(name="steps", steps=tuple(_step(step, "steps") for step in recipe))
    known = built_in()
    if str(recipe) in known:
        return known[str(recipe)]
    path = Path(recipe)
    if path.suffix != ".toml" and not path.is_file():
        near = difflib.get_close_matches(str(recipe), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"built-in: {', '.join(known)}"
        raise UnknownName(f"no recipe is called {str(recipe)!r}; {hint} (or give the path of a .toml file)")
    return load(path)


def load(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        InvalidRecipe: The file is missing or is no recipe.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRecipe(f"cannot read recipe {path}: {getattr(error, 'strerror', None) or error}") from error
    recipe = parse(text, name=str(path))
    return replace(recipe, ranges=path.parent / recipe.ranges) if recipe.ranges else recipe


def parse(text: str, *, name: str) -> Recipe:
    """Turn TOML into a recipe.

    Raises:
        InvalidRecipe: It is no TOML, has an unknown key, or a step has no pass.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise InvalidRecipe(f"recipe {name} is not valid TOML: it is nested too deeply") from error
    except ValueError as error:  # TOMLDecodeError, or an integer of too many digits
        raise InvalidRecipe(f"recipe {name} is not valid TOML: {error}") from error
    for key in document:
        if key not in _KEYS:
            near = difflib.get_close_matches(key, _KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(_KEYS)}"
            raise InvalidRecipe(f"recipe {name} has an unknown key {key!r}; {hint}")
    for key in ("summary", "target", "ranges"):
        if not isinstance(document.get(key, ""), str):
            raise InvalidRecipe(f"recipe {name}: {key!r} must be text, not {document[key]!r}")
    steps = document.get("step", [])
    if not isinstance(steps, list) or not steps:
        raise InvalidRecipe(f'recipe {name} has no steps; write each as [[step]] with pass = "name"')
    ranges = document.get("ranges")
    return Recipe(
        name=name,
        steps=tuple(_step(step, name) for step in steps),
        summary=document.get("summary", ""),
        target=document.get("target"),
        ranges=Path(ranges) if ranges else None,
    )


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML text that `parse` reads back."""
    head = {"summary": recipe.summary, "target": recipe.target, "ranges": recipe.ranges and str(recipe.ranges)}
    lines = [f"{key} = {_literal(value)}" for key, value in head.items() if value]
    for step in recipe.steps:
        lines += ["", "[[step]]", f"pass = {_literal(step.name)}"]
        lines += [f"{_key(key)} = {_literal(value)}" for key, value in step.options.items()]
    return "\n".join(lines).lstrip("\n") + "\n"


def _step(step: StepLike, recipe: str) -> RecipeStep:
    if isinstance(step, str):
        return RecipeStep(step)
    name: object
    if isinstance(step, Mapping):
        options = dict(step)
        name = options.pop("pass", None)
    elif isinstance(step, Sequence) and len(step) == 2 and isinstance(step[1], Mapping):
        name, options = step[0], dict(step[1])
    else:
        raise InvalidRecipe(f"recipe {recipe}: a step is a name, (name, options) or a table with 'pass', not {step!r}")
    if not isinstance(name, str):
        raise InvalidRecipe(f'recipe {recipe}: a step has no pass; write pass = "name" in {dict(options)!r}')
    return RecipeStep(name, options)


def _key(name: str) -> str:
    return name if re.fullmatch("[A-Za-z0-9_-]+", name) else _literal(name)


def _literal(value: Any) -> str:
    """A value as TOML; None becomes the text ``"none"``, which an option that may be None takes for it."""
    if value is None:
        value = "none"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_literal(item) for item in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return str(float(value))
    if isinstance(value, (bool, int, float)):
        return json.dumps(value)
    if isinstance(value, (str, Path)):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    raise InvalidRecipe(f"{value!r} cannot be written in a recipe")
