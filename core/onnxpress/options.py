"""The options of a pass, frontend, observer or backend: the keyword-only, typed parameters of its function.

From them come the command line, the recipe's checks and the docs; there is no second schema.
"""

from __future__ import annotations

import difflib
import inspect
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from onnxpress.errors import InvalidOption, InvalidPlugin

_TYPES = "bool, int, float, str, Path, Literal, tuple or list of them, a union, or object for a value in memory"
_MEANING = re.compile(r"^ {4}(\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
"""An argument in a docstring, with the lines that go on."""

_NUMBERS: dict[Any, type] = {int: Integral, float: Real}


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        name: Parameter name, with underscores.
        type: The annotation, evaluated.
        default: Its default; `inspect.Parameter.empty` when it must be given.
        meaning: What the docstring of the function says of it under ``Args:``, on one line; takes no part in equality.
    """

    name: str
    type: Any
    default: Any
    meaning: str = field(default="", compare=False)

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is inspect.Parameter.empty

    @property
    def in_memory(self) -> bool:
        """Whether no text can give it, so that it is for Python alone."""
        return not _has_spelling(self.type)

    @property
    def type_name(self) -> str:
        """The type as the user reads it, e.g. ``int``, ``list of str``, ``'a' or 'b'``."""
        return _spell(self.type)


def schema(function: Callable[..., Any]) -> tuple[Option, ...]:
    """The options of `function`: its keyword-only parameters, in order."""
    parameters = inspect.signature(function).parameters.values()
    meanings = dict(_MEANING.findall(inspect.getdoc(function) or ""))
    return tuple(
        Option(
            parameter.name,
            _evaluate(parameter, function),
            parameter.default,
            " ".join(meanings.get(parameter.name, "").split()),
        )
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    )


def bind(owner: str, function: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Check and convert the options `given` for `function`; text (from a command line) is parsed.

    Args:
        owner: What the message names, e.g. ``pass 'calibrate'``.
        function: The function whose keyword-only parameters are the options.
        given: Values by name; ``-`` and ``_`` are the same.

    Returns:
        Keyword arguments for `function`.

    Raises:
        InvalidPlugin: An option of `function` has no type, or one that no option can have.
        InvalidOption: An option is unknown (the nearest name is given), missing, or of the wrong type.
    """
    known = {option.name: option for option in schema(function)}
    bound: dict[str, Any] = {}
    for raw_name, value in given.items():
        name = raw_name.replace("-", "_")
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"its options: {', '.join(known) or 'none'}"
            raise InvalidOption(f"{owner} has no option {raw_name!r}; {hint}")
        if name in bound:
            raise InvalidOption(f"{owner}: option {name!r} is given twice")
        try:
            bound[name] = _convert(value, known[name].type)
        except (ValueError, TypeError, OverflowError) as error:
            raise InvalidOption(f"{owner}: option {name!r} must be {known[name].type_name}, not {value!r}") from error
    missing = [name for name, option in known.items() if option.required and name not in bound]
    if missing:
        raise InvalidOption(f"{owner} needs option {missing[0]!r} ({known[missing[0]].type_name})")
    return bound


def share(given: Mapping[str, Any], *owners: tuple[str, Callable[..., Any]]) -> list[dict[str, Any]]:
    """Give each function the options it has, checked and converted.

    Args:
        given: Values by name.
        *owners: What the message names, and the function, as for `bind`.

    Returns:
        Keyword arguments for each function, in order.

    Raises:
        InvalidOption: An option belongs to none of them, or does not bind.
    """
    schemas = [{option.name for option in schema(function)} for _, function in owners]
    known = set().union(*schemas)
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"options: {', '.join(sorted(known)) or 'none'}"
            raise InvalidOption(f"no option {name!r} in {' or '.join(owner for owner, _ in owners)}; {hint}")
    return [
        bind(owner, function, {name: value for name, value in given.items() if name in names})
        for (owner, function), names in zip(owners, schemas, strict=True)
    ]


def _evaluate(parameter: inspect.Parameter, function: Callable[..., Any]) -> Any:
    annotation = parameter.annotation
    owner = f"option {parameter.name!r} of {function.__qualname__}"
    if annotation is inspect.Parameter.empty:
        raise InvalidPlugin(f"{owner} has no type")
    if isinstance(annotation, str):
        try:
            annotation = eval(annotation, inspect.unwrap(function).__globals__)  # the plugin's own code
        except Exception as error:
            raise InvalidPlugin(f"{owner} has type {annotation!r}, which cannot be evaluated: {error}") from error
    if not _is_option_type(annotation):
        raise InvalidPlugin(f"{owner} has type {annotation}, which no option can have; use {_TYPES}")
    return annotation


def _is_option_type(wanted: Any) -> bool:
    origin = get_origin(wanted)
    if origin in (Union, types.UnionType, tuple, list):
        return all(argument is ... or _is_option_type(argument) for argument in get_args(wanted))
    return origin is Literal or (isinstance(wanted, type) and origin is None)


def _has_spelling(wanted: Any) -> bool:
    origin, members = get_origin(wanted), [item for item in get_args(wanted) if item not in (..., type(None))]
    if origin in (Union, types.UnionType):
        return any(map(_has_spelling, members))
    if origin in (tuple, list):
        return all(map(_has_spelling, members))
    return origin is Literal or wanted in (bool, int, float, str, Path, tuple, list)


def _convert(value: Any, wanted: Any) -> Any:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        return _convert_union(value, arguments)
    if origin is Literal:
        return _convert_choice(value, arguments)
    if wanted in (tuple, list) or origin in (tuple, list):
        return _convert_items(value, origin or wanted, arguments)
    return _convert_plain(value, wanted)


def _convert_union(value: Any, members: tuple[Any, ...]) -> Any:
    if value is None or (value == "none" and type(None) in members):
        return None
    for member in members:
        if member is not type(None):
            try:
                return _convert(value, member)
            except (ValueError, TypeError, OverflowError):
                continue
    raise ValueError(value)


def _convert_choice(value: Any, choices: tuple[Any, ...]) -> Any:
    for choice in choices:
        if type(value) is type(choice) and value == choice:
            return choice
    if isinstance(value, str):
        spelled = {str(choice): choice for choice in choices}
        if value in spelled:
            return spelled[value]
    raise ValueError(value)


def _convert_items(value: Any, wanted: Any, members: tuple[Any, ...]) -> Any:
    if isinstance(value, str):
        value = [item.strip() for item in value.split(",")] if value else []
    if not isinstance(value, (list, tuple)):
        raise TypeError(value)
    if wanted is list or not members or members[-1] is ...:
        members = (members or (str,))[:1] * len(value)
    return wanted(_convert(item, member) for item, member in zip(value, members, strict=True))


def _convert_plain(value: Any, wanted: Any) -> Any:
    if wanted is bool and isinstance(value, str):
        value = {"true": True, "false": False, "yes": True, "no": False}.get(value.lower())
    if wanted is Path and isinstance(value, str):
        return Path(value)
    if wanted in _NUMBERS:
        if isinstance(value, bool) or not isinstance(value, (str, _NUMBERS[wanted])):
            raise TypeError(value)
        return wanted(value)
    if isinstance(wanted, type) and isinstance(value, wanted):
        return value
    raise TypeError(value)


def _spell(wanted: Any) -> str:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        return " or ".join(_spell(member) for member in arguments)
    if origin is Literal:
        return " or ".join(repr(choice) for choice in arguments)
    if origin in (tuple, list):
        size = f"{len(arguments)} " if origin is tuple and arguments[-1:] != (...,) and arguments else ""
        return f"list of {size}{_spell(arguments[0]) if arguments else 'str'}"
    if wanted is type(None):
        return "none"
    return {Path: "path", float: "number"}.get(wanted, getattr(wanted, "__name__", str(wanted)))
