"""What a pass author tests with: graphs from text, a pass run as a recipe runs it, outputs compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx_ir as ir

from onnxpress.errors import InvalidModel, InvalidPlugin, reason
from onnxpress.kinds import Backend, Context, Dataset, Frontend, Kind, Pass
from onnxpress.options import bind, schema
from onnxpress.records import Notes
from onnxpress.registry import HOOKS, Registry
from onnxpress.run import settle, shielded
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
    try:
        parsed = ir.from_onnx_text(text if text.lstrip().startswith("<") else f"{_HEADER} {text}")
    except Exception as error:  # the parser raises its own error, and a bare ValueError
        raise InvalidModel(f"the text is no model: {reason(error)}") from error
    for name, array in initializers.items():
        _set_initializer(parsed.graph, name, array)
    verify(parsed)
    return parsed


def _set_initializer(graph: ir.Graph, name: str, array: np.ndarray[Any, Any]) -> None:
    value = next((value for value in graph.inputs if value.name == name), None)
    if value is not None:
        graph.inputs.remove(value)
    elif (value := graph.initializers.get(name)) is None:
        raise InvalidModel(f"the text has no input or initialiser called {name!r}")
    value.const_value = ir.tensor(array, name=name)
    value.shape, value.dtype = ir.Shape(array.shape), value.const_value.dtype
    graph.initializers[name] = value


def apply(
    offer: Pass, model: ir.Model, *, data: Dataset | None = None, catalog: Registry | None = None, **options: Any
) -> tuple[ir.Model, Notes]:
    """Run one pass as a recipe would: options checked, on a copy, the result verified.

    Returns:
        The new model and the notes the pass took.
    """
    context = Context(catalog=catalog if catalog is not None else Registry(), data=data, threads=1)
    built = offer.build(context, **bind(f"pass {offer.name!r}", offer.build, options))
    result = built(shielded(model)).model
    settle(result, model)
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
        InvalidPlugin: A hook does not exist or yields the wrong kind; a name is not kebab-case, or a summary not one
            line; an option has no type.
        Conflict: Two records share a name.
    """
    registry = Registry(plugin, installed=False)
    offers: dict[str, int] = {}
    for kind in HOOKS:
        for name, item in registry.all(kind).items():
            _check_offer(f"{kind.label} {name!r}", item)
            offers[kind.label] = offers.get(kind.label, 0) + 1
    return offers


def _check_offer(owner: str, item: Kind) -> None:
    if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", item.name):
        raise InvalidPlugin(f"{owner}: a name is kebab-case, like 'fold-batch-norm'")
    if not item.summary.strip() or "\n" in item.summary:
        raise InvalidPlugin(f"{owner} needs a summary of one line")
    for field in ("build", "load", "emit"):
        if hasattr(item, field):
            schema(getattr(item, field))
    if isinstance(item, Frontend) and item.reference is not None and schema(item.reference) != schema(item.load):
        raise InvalidPlugin(f"{owner}: 'reference' must have the same options as 'load'")
    if isinstance(item, Backend) and item.check is not None:
        for option in schema(item.check):
            if option not in schema(item.emit):
                raise InvalidPlugin(f"{owner}: option {option.name!r} of 'check' must be one of 'emit', too")
