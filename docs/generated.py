"""Fills in what nobody writes by hand: recipes, what the plugins offer, the table of a benchmark, links to tests."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from onnxpress.kinds import Backend, Frontend, Kind, Observer, Pass
from onnxpress.options import schema
from onnxpress.recipe import built_in, to_toml
from onnxpress.registry import HOOKS, Registry

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
TEST = re.compile(r"\[([^\]]+)\]\(\.\./(tests/[^)]+\.py)\)")
"""A link to a test from a page: what it is called, without ``test_`` and in words, and its file."""


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers; called by mkdocs for every page."""
    for name, content in CONTENTS.items():
        if f"<!-- {name} -->" in markdown:
            markdown = markdown.replace(f"<!-- {name} -->", content())
    return TEST.sub(r'<span title="\2">\1</span>', markdown)  # the site has no tests to link to


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


def tf2onnx_failures() -> str:
    """The table of benchmark ``tf2onnx_failures``, from its last run."""
    found = json.loads((RESULTS / "tf2onnx_failures.json").read_text(encoding="utf-8"))
    rows = [
        f"| {row['case']} | {_judged(row, 'tf2onnx')} | {_judged(row, 'onnxpress')} | {row['counted'] or ''} |"
        for row in found["rows"]
    ]
    versions = ", ".join(f"{name} {found['versions'][name]}" for name in ("tf2onnx", "tensorflow", "keras", "numpy"))
    head = ["| case | tf2onnx | onnxpress | figure, as it should be |", "| --- | --- | --- | --- |"]
    return "\n".join([*head, *rows, "", f"{versions}."])


def benchmark(
    name: str,
    *,
    without: Collection[str] = (),
    packages: Sequence[str] = ("onnx", "onnxruntime", "tensorflow", "keras"),
) -> str:
    """The rows of a benchmark as a table, from its last run, without some columns, and what it was run with."""
    found = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    columns = [column for column in dict.fromkeys(chain.from_iterable(found["rows"])) if column not in without]
    rows = ["| " + " | ".join(_spelt(row.get(column, "")) for column in columns) + " |" for row in found["rows"]]
    versions = ", ".join(f"{name} {found['versions'][name]}" for name in packages)
    head = ["| " + " | ".join(columns) + " |", "| --- " * len(columns) + "|"]
    return "\n".join([*head, *rows, "", f"{versions}."])


def stack_latency() -> str:
    """Measured time of spatial stacks over that of the layer, a row for each size, float and int8 side by side."""
    found = json.loads((RESULTS / "stack_latency.json").read_text(encoding="utf-8"))
    shares = [column for column in found["rows"][0] if column.startswith("measured")]
    sizes: dict[tuple[int, int], list[str]] = {}
    for row in found["rows"]:
        if row["form"] == "spatial":
            sizes.setdefault((row["channels"], row["map"]), []).extend(f"{row[share]:.2f}" for share in shares)
    words = [f"{kind}, {share.removeprefix('measured ')}" for kind in ("float", "int8") for share in shares]
    rows = [f"| {channels} | {size} x {size} | {' | '.join(times)} |" for (channels, size), times in sizes.items()]
    head = [f"| channels | map | {' | '.join(words)} |", "| --- " * (len(words) + 2) + "|"]
    return "\n".join([*head, *rows, "", f"{found['processor']}, onnxruntime {found['versions']['onnxruntime']}."])


def backend_suite() -> str:
    """The score of ONNX's own tests, what is beyond TensorFlow, and what we lack."""
    listed = runpy.run_path(str(RESULTS.parent / "backend_suite_exclusions.py"))
    parts = [benchmark("backend_suite"), "Beyond TensorFlow:", _reasons(listed["EXCLUDED"])]
    return "\n\n".join([*parts, "What does not pass, and counts:", _reasons(listed["GAPS"])]) + "\n"


def _reasons(patterns: Mapping[str, str]) -> str:
    """Every reason with the patterns of names that it is for."""
    grouped: dict[str, list[str]] = {}
    for pattern, reason in patterns.items():
        grouped.setdefault(reason, []).append(f"`{pattern}`")
    return "\n".join(f"- {reason}: {', '.join(names)}" for reason, names in grouped.items())


def _spelt(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _judged(row: dict[str, Any], tool: str) -> str:
    verdict, colon, words = row[tool].partition(": ")
    text = f"{verdict}: `{words}`" if colon else verdict  # a message may hold what is markup elsewhere
    difference = row[f"{tool}'s difference"]
    return text if difference is None else f"{text} ({difference:.1g})"


def _options(offer: Kind) -> str:
    function = {Pass: "build", Observer: "build", Frontend: "load", Backend: "emit"}.get(type(offer))
    if function is None or not (options := schema(getattr(offer, function))):
        return ""
    rows = [
        f"| `{option.name}` | {option.type_name} | {'required' if option.required else f'`{option.default!r}`'} |"
        for option in options
    ]
    return "\n".join(["| option | type | default |", "| --- | --- | --- |", *rows])


CONTENTS: Mapping[str, Callable[[], str]] = {
    "recipes": recipes,
    "offers": offers,
    "tf2onnx": tf2onnx_failures,
    "backend_suite": backend_suite,
    "ascend": partial(benchmark, "ascend"),
    "interchange": partial(benchmark, "interchange"),
    "stack_latency": stack_latency,
    "decomposition": partial(benchmark, "decomposition", without=("ranks",), packages=("onnxruntime", "numpy")),
    "factorization": partial(benchmark, "factorization", packages=("numpy",)),
    "compact_networks": partial(benchmark, "compact_networks", packages=("onnxruntime", "numpy")),
    "round_trip": partial(benchmark, "round_trip"),
    "tensorflow_size": partial(benchmark, "tensorflow_size"),
}
"""What takes the place of each marker."""
