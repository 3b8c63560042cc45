"""A fake-quant model, in which floats carry AMCT's integers, becomes the deploy model that it simulates.

    x -> Mul(1 / scale_d) -> Round -> Add(offset) -> Clip(-128, 127) -> Sub(offset)       AscendQuant
    operator on floats that are whole numbers of 8 bits, its bias of 32                   the same on integers
    -> Mul(deq_scale) -> y                                                                AscendDequant
    -> Mul(scale_d) -> y                         where there is no operator between       AscendAntiQuant

Names are AMCT's where they end as AMCT ends them (``<layer>.quant.fakequant.sub``, ``<layer>.fakedequant.mul``).  A
chain of which not every user is understood stays as it stands, since it computes what it says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import onnx_ir as ir

from onnxpress.ascend.constant_weights import settle_constants
from onnxpress.ascend.layers import is_op
from onnxpress.ascend.operators import ANTI_QUANT, DEQUANT, QUANT, pack
from onnxpress.ascend.prototypes import CARRIERS, CUBES, OPSETS
from onnxpress_frontends.ascend.fake_quant_chains import Chain, chain_ending, number_constant, operand
from onnxpress_frontends.ascend.parts import Parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ENDINGS = ((".fakequant.sub", ""), (".fakedequant.mul", ".dequant"), (".fake_antiquant.mul", ""))
_NEAR = 1e-5

_Integer = type[np.int8] | type[np.int32]


@dataclass(frozen=True, kw_only=True)
class _Use:
    """What becomes of the integers of a chain.

    Attributes:
        end: Mul, which leads back to numbers.
        cube: The operator in between; None where there is none.
        constants: Weight and bias, the node that uses each, and the integers that it holds.
    """

    end: ir.Node
    cube: ir.Node | None = None
    constants: tuple[tuple[ir.Value, ir.Node, _Integer], ...] = ()


class _Strange(Exception):
    """Something that AMCT does not write; says what."""


def read_fake_quant(model: ir.Model) -> list[str]:
    """Let Ascend's operators take the place of the chains in `model`, in place.

    Returns:
        Sentences on chains that were left.
    """
    if model.opset_imports.get("") not in OPSETS or not any(map(chain_ending, model.graph.all_nodes())):
        return []
    settle_constants(model, weights=ir.DataType.FLOAT)
    parts, left = Parts(model), []
    understood: list[tuple[Chain, list[_Use]]] = []
    for chain in [chain for node in model.graph.all_nodes() if (chain := chain_ending(node))]:
        try:
            understood.append((chain, list(_uses(chain.end.outputs[0], chain))))
        except _Strange as reason:
            left.append(f"the integers of {chain.end.name!r} are left as floats compute them: {reason}")
    integer = {user for _, uses in understood for use in uses for _, user, _ in use.constants}
    for chain, uses in understood:
        for use in uses:
            for value, user, dtype in use.constants:
                _store(value, user, dtype, integer, parts)
            _become_return(use, chain, parts)
        _become_quant(chain)
    return left


def _uses(value: ir.Value, chain: Chain) -> Iterator[_Use]:
    """Every use of the integers.

    Raises:
        _Strange: One is not AMCT's.
    """
    if value.is_graph_output():
        raise _Strange("they are an output of the graph")
    for node, index in value.uses():
        step = operand(node) if is_op(node, "Mul") else None
        if is_op(node, *CARRIERS) and index == 0:
            yield from _uses(node.outputs[0], chain)
        elif is_op(node, *CUBES) and index == 0:
            yield _layer(node)
        elif step is not None and abs(step * chain.scale - 1) < _NEAR:
            yield _Use(end=node)
        else:
            raise _Strange(f"{_title(node)} does not take integers")


def _layer(cube: ir.Node) -> _Use:
    constants: list[tuple[ir.Value, ir.Node, _Integer]] = []
    dtypes: tuple[_Integer, ...] = (np.int8, np.int32)
    for value, dtype in zip(cube.inputs[1:], dtypes, strict=False):
        if value is not None:
            constants.append((_whole(value, cube, dtype), cube, dtype))
    end = _only_user(cube)
    if cube.op_type == "MatMul" and is_op(end, "Add"):
        bias = next(value for value in end.inputs if value is not cube.outputs[0])
        assert bias is not None
        constants.append((_whole(bias, end, np.int32), end, np.int32))
        end = _only_user(end)
    if not is_op(end, "Mul") or _words(end, cube) is None:
        raise _Strange(f"{_title(end)} is no product with one scale for each channel")
    return _Use(end=end, cube=cube, constants=tuple(constants))


def _whole(value: ir.Value, user: ir.Node, dtype: _Integer) -> ir.Value:
    numbers, limits = number_constant(value), np.iinfo(dtype)
    if numbers is None:
        raise _Strange(f"{_title(user)} uses {value.name!r}, which is no constant")
    exact = numbers.astype(np.float64)
    if not ((exact == np.rint(exact)) & (exact >= limits.min) & (exact <= limits.max)).all():
        raise _Strange(f"{value.name!r} of {_title(user)} does not hold integers of {limits.bits} bits")
    return value


def _only_user(node: ir.Node) -> ir.Node:
    users = [use.node for use in node.outputs[0].uses()]
    if len(users) != 1 or node.outputs[0].is_graph_output():
        raise _Strange(f"{_title(node)} has more than one user")
    return users[0]


def _words(mul: ir.Node, cube: ir.Node) -> NDArray[np.float32] | None:
    """The deq_scale that a Mul stands for, shape ``(1,)`` or ``(channels,)``; None where it is something else."""
    scales = next((found for value in mul.inputs if (found := number_constant(value)) is not None), None)
    weight = number_constant(cube.inputs[1]) if len(cube.inputs) > 1 else None
    if scales is None or scales.dtype != np.float32:
        return None
    spatial = 0 if weight is None or cube.op_type in ("Gemm", "MatMul") else weight.ndim - 2
    if scales.size > 1 and (scales.ndim <= spatial or scales.shape[-1 - spatial] != scales.size):
        return None
    return scales.reshape(-1)


def _store(value: ir.Value, user: ir.Node, dtype: _Integer, integer: set[ir.Node], parts: Parts) -> None:
    """Let `user` have its constant in integers; whoever stays with floats keeps them."""
    numbers = number_constant(value)
    assert numbers is not None and isinstance(user.graph, ir.Graph)
    if numbers.dtype == dtype:
        return
    tensor = ir.tensor(numbers.astype(dtype), name=value.name)
    if numbers.dtype.kind == "f" and all(use.node in integer for use in value.uses()):
        value.const_value, value.type = tensor, ir.TensorType(tensor.dtype)
        return
    stored = parts.initializer(user.graph, value.name or "", tensor)
    user.replace_input_with(list(user.inputs).index(value), stored)


def _become_return(use: _Use, chain: Chain, parts: Parts) -> None:
    mul = use.end
    if use.cube is None:
        step = operand(mul)
        assert step is not None
        data = next(value for value in mul.inputs if number_constant(value) is None)
        _become(mul, ANTI_QUANT, [data], scale=float(step), offset=float(chain.offset), dst_type="INT8")
        return
    words = _words(mul, use.cube)
    assert words is not None and isinstance(mul.graph, ir.Graph)
    data = next(value for value in mul.inputs if number_constant(value) is None)
    name = _named(mul)
    parameter = parts.initializer(mul.graph, f"{name}.param", ir.tensor(pack(words)))
    _become(mul, DEQUANT, [data, parameter], dtype=0)


def _become_quant(chain: Chain) -> None:
    _become(chain.end, QUANT, [chain.data], scale=float(chain.scale), offset=float(chain.offset), dst_type="INT8")
    for node in chain.nodes[1:]:
        assert node.graph is not None
        node.graph.remove(node, safe=True)


def _become(node: ir.Node, op: str, inputs: list[ir.Value | None], **attributes: float | int | str) -> None:
    """Turn `node` into another operator under AMCT's name for that."""
    node.name, node.op_type = _named(node), op
    node.resize_inputs(len(inputs))
    for index, value in enumerate(inputs):
        node.replace_input_with(index, value)
    node.attributes.clear()
    node.attributes.update({key: ir.convenience.convert_attribute(key, value) for key, value in attributes.items()})


def _named(node: ir.Node) -> str:
    name = node.name or ""
    return next((name.removesuffix(end) + new for end, new in _ENDINGS if name.endswith(end)), name)


def _title(node: ir.Node) -> str:
    return f"node {node.name!r} ({node.op_type})"
