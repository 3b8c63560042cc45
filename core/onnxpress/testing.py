"""What a pass author tests with: graphs from text, a pass run as a recipe runs it, outputs compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.kinds import Context, Dataset, Pass
from onnxpress.options import bind, schema
from onnxpress.records import Notes
from onnxpress.registry import HOOKS, Registry
from onnxpress.runtime import Session
from onnxpress.verify import verify

if TYPE_CHECKING:
    from onnxpress.kinds import Feeds

_HEADER = '<ir_version: 10, opset_import: ["" : 17]>'


def model(text: str, **initializers: np.ndarray[Any, Any]) -> ir.Model:
    """A verified model from ONNX text.

    Args:
        text: A graph in the ONNX text format; a header with opset 17 is put before it unless it begins with ``<``.
        **initializers: Values that replace initialisers of the same name declared in the text, or inputs, which
            become initialisers.

    Raises:
        InvalidModel: The text is no valid model.
    """
    parsed = ir.from_onnx_text(text if text.lstrip().startswith("<") else f"{_HEADER} {text}")
    inputs = {value.name: value for value in parsed.graph.inputs}
    for name, array in initializers.items():
        value = inputs.get(name) or parsed.graph.initializers[name]
        if name in inputs:
            parsed.graph.inputs.remove(value)
        value.const_value = ir.tensor(array, name=name)
        value.shape, value.dtype = ir.Shape(array.shape), value.const_value.dtype
        parsed.graph.initializers[name] = value
    verify(parsed)
    return parsed


def apply(
    offer: Pass, model: ir.Model, *, data: Dataset | None = None, catalog: Registry | None = None, **options: Any
) -> tuple[ir.Model, Notes]:
    """Run one pass as a recipe would: options checked, on a copy, the result verified.

    Returns:
        The new model and the notes the pass took.
    """
    context = Context(catalog=catalog if catalog is not None else Registry(), data=data, threads=1)
    built = offer.build(context, **bind(f"pass {offer.name!r}", offer.build, options))
    result = built(model.clone()).model
    verify(result)
    return result, context.notes


def assert_equivalent(before: ir.Model, after: ir.Model, feeds: Feeds, *, rtol: float, atol: float) -> None:
    """Assert that two models give the same outputs for `feeds`, graph optimisation off.

    Args:
        before: The reference.
        after: The changed model.
        feeds: Inputs by name.
        rtol: Relative tolerance, as in `numpy.testing.assert_allclose`.
        atol: Absolute tolerance.
    """
    expected, actual = Session(before, threads=1).run(feeds), Session(after, threads=1).run(feeds)
    assert list(expected) == list(actual), f"outputs changed from {list(expected)} to {list(actual)}"
    for name, array in expected.items():
        np.testing.assert_allclose(actual[name], array, rtol=rtol, atol=atol, err_msg=f"output {name!r}")


def check_plugin(plugin: object) -> Mapping[str, int]:
    """Check that a plugin keeps the contract: its hooks exist, its records are well-formed, its options are typed.

    Returns:
        How many records of each kind it offers, e.g. ``{"pass": 2}``.

    Raises:
        InvalidPlugin: A hook does not exist or yields the wrong kind, or an option has no type.
        Conflict: Two records share a name.
    """
    registry = Registry(plugin, installed=False)
    offers: dict[str, int] = {}
    for kind in HOOKS:
        for name, item in registry.all(kind).items():
            assert name == name.lower() and " " not in name and "_" not in name, f"{name!r} is not kebab-case"
            assert item.summary and "\n" not in item.summary, f"{kind.label} {name!r} needs a one-line summary"
            for field in ("build", "load", "emit"):
                if hasattr(item, field):
                    schema(getattr(item, field))
            offers[kind.label] = offers.get(kind.label, 0) + 1
    return offers
