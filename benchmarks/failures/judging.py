"""One judge for every converter: did it raise, is the file ONNX, does it run, are the numbers TensorFlow's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from failures.case import Case, Converter, Sample

CLOSE = 1e-5
"""Of the largest output."""

_LONG = 150
"""Characters of a message."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of a case.

    Attributes:
        text: In words.
        right: Whether it is what the case asks for.
        difference: The largest to TensorFlow over the largest output, where the file runs.
        count: Of what the case counts, where there is a file.
    """

    text: str
    right: bool
    difference: float | None = None
    count: int | None = None


def judge(case: Case, sample: Sample, convert: Converter, out: Path) -> Verdict:
    """Convert to `out` and look at the result."""
    import onnx

    try:
        code = convert(out)
    except Exception as error:  # whatever a converter raises is its answer
        return Verdict(text=_answer(error, refused=case.refused), right=case.refused)
    model = onnx.load(out)
    count = case.count(model) if case.count else None
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        exit_code = "" if code is None else f"exit code {code}, "
        text = f"{exit_code}file is no ONNX: {_foreign(model) or _line(error)}"
        return Verdict(text=text, right=False, count=count)
    try:
        outputs = run(out, sample)
    except Exception as error:  # onnxruntime raises a dozen types
        return Verdict(text=f"does not run: {_line(error)}", right=False, count=count)
    apart = difference(outputs, sample)
    text = _text(case, apart, count)
    return Verdict(text=text, right=text == "right", difference=apart, count=count)


def run(path: Path, sample: Sample) -> list[Any]:
    """The outputs of onnxruntime without graph optimisation."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options)
    names = [port.name for port in session.get_inputs()]
    if len(names) > len(sample.feeds):
        raise ValueError(f"it has other inputs, {', '.join(names)}")
    outputs: list[Any] = session.run(None, dict(zip(names, sample.feeds, strict=True)))
    return outputs


def difference(outputs: list[Any], sample: Sample) -> float:
    """The largest difference over the largest magnitude; 1 where there are other shapes or other outputs."""
    if [output.shape for output in outputs] != [each.shape for each in sample.expected]:
        return 1.0
    pairs = [
        (np.asarray(output, np.float64), np.asarray(each, np.float64))
        for output, each in zip(outputs, sample.expected, strict=True)
    ]
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)


def _text(case: Case, apart: float, count: int | None) -> str:
    if case.refused:
        return "converts what ONNX cannot say"
    if not apart <= CLOSE:
        return "wrong numbers"
    return "right" if count is None or count == case.wanted else f"right numbers, but {case.counted}: {count}"


def _answer(error: Exception, *, refused: bool) -> str:
    command = str(error).startswith("exit code")
    return f"{'refuses' if refused else 'fails'}: {'' if command else type(error).__name__ + ': '}{_line(error)}"


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0].replace("|", "/") if lines else "no message"
    return text if len(text) <= _LONG else f"{text[:_LONG]} ..."


def _foreign(model: Any) -> str:
    import onnx

    library = {function.name for function in model.functions}
    found = Counter(
        node.op_type
        for node in nodes(model.graph)
        if node.domain in ("", "ai.onnx") and not onnx.defs.has(node.op_type) and node.op_type not in library
    )
    return ", ".join(f"{op} ({number})" if number > 1 else op for op, number in found.items())


def nodes(graph: Any) -> Iterator[Any]:
    """The nodes of a graph and of the graphs in its attributes."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from nodes(inner)


def number_of(*operators: str) -> Callable[[Any], int]:
    """Counts operators."""
    return lambda model: sum(node.op_type in operators for node in nodes(model.graph))


def stored_integers(model: Any) -> int:
    """The DequantizeLinear nodes whose input is stored in the file."""
    stored = {each.name for each in model.graph.initializer}
    return sum(node.op_type == "DequantizeLinear" and node.input[0] in stored for node in nodes(model.graph))
