"""Objects of a JSON document, read field by field, so that what is wrong with one is told in one line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from onnxpress.errors import InvalidData

Word = TypeVar("Word", bound=str)


class Entry:
    """One object.

    Args:
        content: What the document has there.
        where: What an error calls it.

    Raises:
        InvalidData: It is no object.  So do all methods, for a field that is missing or holds something else.
    """

    def __init__(self, content: Any, where: str) -> None:
        if not isinstance(content, dict):
            raise InvalidData(f"{where} must be an object, not {_shown(content)}")
        self.where = where
        self._content = content

    def only(self, known: Collection[str]) -> None:
        """Refuse fields that nobody asks for."""
        for key in self._content:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
                raise InvalidData(f"{self.where} has an unknown field {key!r}; {hint}")

    def text(self, key: str) -> str:
        """A text."""
        return str(self._get(key, lambda value: isinstance(value, str), "a text"))

    def word(self, key: str, known: Sequence[Word]) -> Word:
        """One of several words."""
        value = self._get(key, lambda value: value in known, f"one of {', '.join(known)}")
        return known[known.index(value)]

    def flag(self, key: str) -> bool:
        """True or false."""
        return bool(self._get(key, lambda value: isinstance(value, bool), "true or false"))

    def size(self, key: str) -> int:
        """An integer that is not negative."""
        return int(self._get(key, _is_size, "an integer that is not negative"))

    def sizes(self, key: str) -> tuple[int, ...]:
        """Integers that are not negative."""
        return tuple(self._get(key, _are_sizes, "a list of integers that are not negative"))

    def sizes_if_known(self, key: str) -> tuple[int, ...] | None:
        """The same, or None for null."""
        return None if self._get(key) is None else self.sizes(key)

    def entry(self, key: str) -> Entry:
        """An object in it."""
        return Entry(self._get(key), f"{self.where}, {key}")

    def entries(self, key: str) -> list[Entry]:
        """The objects of a list in it."""
        return entries(self._get(key), f"{self.where}, {key}")

    def called(self, where: str) -> Entry:
        """The same object, called otherwise in errors."""
        return Entry(self._content, where)

    def _get(self, key: str, fits: Callable[[Any], bool] = lambda value: True, wanted: str = "") -> Any:
        if key not in self._content:
            raise InvalidData(f"{self.where} has no field {key!r}")
        value = self._content[key]
        if not fits(value):
            raise InvalidData(f"{self.where}: {key} must be {wanted}, not {_shown(value)}")
        return value


def entries(content: Any, where: str) -> list[Entry]:
    """The objects of a list.

    Raises:
        InvalidData: It is no list of objects.
    """
    if not isinstance(content, list):
        raise InvalidData(f"{where} must be a list, not {_shown(content)}")
    return [Entry(item, f"{where}[{at}]") for at, item in enumerate(content)]


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_size, value))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
