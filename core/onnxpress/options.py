"""The options of a pass, frontend, observer or backend: the keyword-only, typed parameters of its function.

From them come the command line, the recipe's checks and the docs; there is no second schema.
"""

from __future__ import annotations

import difflib
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from onnxpress.errors import InvalidOption, InvalidPlugin


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        name: Parameter name, with underscores.
        type: The annotation, evaluated.
        default: Its default; `inspect.Parameter.empty` when it must be given.
    """

    name: str
    type: Any
    default: Any

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is inspect.Parameter.empty

    @property
    def type_name(self) -> str:
        """The type as the user reads it, e.g. ``int``, ``list of str``, ``'a' or 'b'``."""
        return _spell(self.type)


def schema(function: Callable[..., Any]) -> tuple[Option, ...]:
    """The options of `function`: its keyword-only parameters, in order."""
    parameters = inspect.signature(function).parameters.values()
    return tuple(
        Option(parameter.name, _evaluate(parameter, function), parameter.default)
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
        try:
            bound[name] = _convert(value, known[name].type)
        except (ValueError, TypeError) as error:
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
    if annotation is inspect.Parameter.empty:
        raise InvalidPlugin(f"option {parameter.name!r} of {function.__qualname__} has no type")
    if isinstance(annotation, str):
        return eval(annotation, inspect.unwrap(function).__globals__)  # an annotation of the plugin's own code
    return annotation


def _convert(value: Any, wanted: Any) -> Any:
    origin, arguments = get_origin(wanted), get_args(wanted)
    if origin in (Union, types.UnionType):
        return _convert_union(value, arguments)
    if origin is Literal:
        if value not in arguments:
            raise ValueError(value)
        return value
    if origin in (tuple, list):
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, (list, tuple)):
            raise TypeError(value)
        return origin(_convert(item, arguments[0] if arguments else str) for item in items)
    return _convert_plain(value, wanted)


def _convert_union(value: Any, members: tuple[Any, ...]) -> Any:
    if value is None or (value == "none" and type(None) in members):
        return None
    for member in members:
        if member is not type(None):
            try:
                return _convert(value, member)
            except (ValueError, TypeError):
                continue
    raise ValueError(value)


def _convert_plain(value: Any, wanted: Any) -> Any:
    if wanted is bool:
        words = {"true": True, "false": False, "yes": True, "no": False}
        if isinstance(value, str) and value.lower() in words:
            return words[value.lower()]
        if not isinstance(value, bool):
            raise TypeError(value)
        return value
    if wanted is Path:
        return Path(value)
    if isinstance(value, bool) or (wanted is str and not isinstance(value, str)):
        raise TypeError(value)
    if wanted is int and isinstance(value, float):
        raise TypeError(value)
    if wanted in (int, float, str):
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
        return f"list of {_spell(arguments[0]) if arguments else 'str'}"
    if wanted is type(None):
        return "none"
    return {Path: "path", float: "number"}.get(wanted, getattr(wanted, "__name__", str(wanted)))
