"""Fills the pages whose content is the code's own: built-in recipes, and what the plugins offer with its options."""

from __future__ import annotations

from typing import Any

from onnxpress.kinds import Backend, Frontend, Kind, Observer, Pass
from onnxpress.options import schema
from onnxpress.recipe import built_in, to_toml
from onnxpress.registry import HOOKS, Registry


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers; called by mkdocs for every page."""
    return markdown.replace("<!-- recipes -->", recipes()).replace("<!-- offers -->", offers())


def recipes() -> str:
    """Every built-in recipe as TOML."""
    return "\n\n".join(f"## `{name}`\n\n```toml\n{to_toml(recipe)}```" for name, recipe in built_in().items())


def offers() -> str:
    """Every offer of every kind, with a table of its options."""
    registry = Registry()
    parts = []
    for kind in HOOKS:
        parts.append(f"## {kind.__name__}s")
        for name, offer in registry.all(kind).items():
            parts += [f"### `{name}`", f"{offer.summary}.", _options(offer)]
    return "\n\n".join(part for part in parts if part)


def _options(offer: Kind) -> str:
    function = {Pass: "build", Observer: "build", Frontend: "load", Backend: "emit"}.get(type(offer))
    if function is None or not (options := schema(getattr(offer, function))):
        return ""
    rows = [
        f"| `{option.name}` | {option.type_name} | {'required' if option.required else f'`{option.default!r}`'} |"
        for option in options
    ]
    return "\n".join(["| option | type | default |", "| --- | --- | --- |", *rows])
