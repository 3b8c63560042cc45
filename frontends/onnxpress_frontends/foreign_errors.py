"""What another library's error says, in the one line that our own errors have room for."""

from __future__ import annotations


def first_line(error: BaseException, *, limit: int = 300) -> str:
    """The first line of the message that says something, at most `limit` characters; the error's type if none does."""
    lines = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)[:limit]
