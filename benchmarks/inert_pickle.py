"""Pickles read as inert data: a stack machine over `pickletools.genops` that imports nothing and calls nothing.

A pickle is a program.  This machine knows the opcodes that build plain containers, numbers and strings, keeps a
GLOBAL as the pair of names it is, and hands REDUCE (call) and BINPERSID (object kept elsewhere) to functions the
caller passes.  Whatever else a pickle asks for is refused by name, so that a file can at worst be rejected.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any

_VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"}
_CONTAINERS: dict[str, Callable[[], Any]] = {"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_MARK = object()


class InvalidPickle(ValueError):
    """The pickle is damaged, or asks for something other than plain data."""


@dataclass(frozen=True)
class Global:
    """The name of something that unpickling would have imported."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


def read(
    file: IO[bytes],
    *,
    constructors: Mapping[Global, Callable[..., Any]],
    persistent: Callable[[Any], Any] | None = None,
) -> Any:
    """Read one pickle from the position of `file`, which ends up behind it.

    Args:
        file: A binary file.
        constructors: What stands in for each callable that the pickle may call.
        persistent: Turns a persistent id into an object; None refuses them.

    Raises:
        InvalidPickle: The pickle is cut short or damaged, uses another opcode, or calls anything else.
    """
    machine = _Machine(constructors, persistent)
    try:
        for opcode, argument, _ in pickletools.genops(file):
            machine.step(opcode.name, argument)
        return machine.pop()
    except InvalidPickle:
        raise
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InvalidPickle(f"the pickle is damaged: {error}") from error


class _Machine:
    def __init__(
        self, constructors: Mapping[Global, Callable[..., Any]], persistent: Callable[[Any], Any] | None
    ) -> None:
        self.constructors = constructors
        self.persistent = persistent
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self.stack.append(argument)
        elif name in _VALUES:
            self.stack.append(_VALUES[name])
        elif name in _CONTAINERS:
            self.stack.append(_CONTAINERS[name]())
        elif name in _TUPLES:
            self.stack.append(tuple(reversed([self.pop() for _ in range(_TUPLES[name])])))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self.memo[argument] = self.stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            self.stack.append(self.memo[argument])
        elif name not in ("PROTO", "STOP"):
            self._act(name, argument)

    def _act(self, name: str, argument: Any) -> None:
        match name:
            case "MARK":
                self.stack.append(_MARK)
            case "GLOBAL":
                self.stack.append(Global(*argument.split(" ")))
            case "TUPLE":
                self.stack.append(tuple(self._to_mark()))
            case "APPEND":
                item = self.pop()
                self.stack[-1].append(item)
            case "APPENDS":
                items = self._to_mark()
                self.stack[-1].extend(items)
            case "SETITEM":
                value, key = self.pop(), self.pop()
                self.stack[-1][key] = value
            case "SETITEMS":
                flat = self._to_mark()
                self.stack[-1].update(zip(flat[::2], flat[1::2], strict=True))
            case "REDUCE":
                arguments, function = self.pop(), self.pop()
                self.stack.append(self._call(function, arguments))
            case "BUILD":
                self.pop()  # attributes of an object that we keep as a plain container
            case "BINPERSID" if self.persistent is not None:
                self.stack.append(self.persistent(self.pop()))
            case _:
                raise InvalidPickle(f"the pickle uses {name}, which plain data do not need")

    def _call(self, function: Any, arguments: Any) -> Any:
        if not isinstance(function, Global) or function not in self.constructors:
            raise InvalidPickle(f"the pickle calls {function}, which is not allowed")
        return self.constructors[function](*arguments)

    def pop(self) -> Any:
        """Take the top of the stack, which must be a value."""
        if not self.stack or self.stack[-1] is _MARK:
            raise InvalidPickle("the pickle is damaged: it takes more from the stack than it put there")
        return self.stack.pop()

    def _to_mark(self) -> list[Any]:
        items: list[Any] = []
        while self.stack and self.stack[-1] is not _MARK:
            items.append(self.stack.pop())
        if not self.stack:
            raise InvalidPickle("the pickle is damaged: a mark is missing")
        self.stack.pop()
        return items[::-1]
