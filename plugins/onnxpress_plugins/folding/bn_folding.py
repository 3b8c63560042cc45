"""Fold per-channel affine maps into linear layers: BatchNormalization, and everything that computes the same.

Behind a layer ``W x + b`` inference BatchNormalization computes

    y = gamma * (W x + b - mu) / sqrt(var + eps) + beta = a W x + a (b - mu) + beta,    a = gamma / sqrt(var + eps)

which is the same layer with ``W' = a W`` and ``b' = a (b - mu) + beta`` (Jacob et al. 2018, arXiv:1712.05877, section
3.2).  The same holds for any chain of Mul, Add, Sub and Div by per-channel constants, which is what exporters make of
BatchNormalization; a chain is composed first, in float64, and rounded once.  Before a layer,

    y = W (s x + t) + b = (W s) x + (b + W t)

is exact if every output sees every tap: a convolution that pads with zeros would have to pad with ``-t / s`` instead,
so there only ``t = 0`` is folded.  Layers are Conv, depthwise and grouped too, ConvTranspose, Gemm and MatMul (which
becomes a Gemm when it gets a bias if it multiplies matrices, and gets an Add right behind it if stacks of them) with a
constant weight, of floats or of integers before a DequantizeLinear (`stored_weights`); the map may be apart from the
layer by what commutes with it (`carriers`, `affine_paths`).

A map is left alone, and the reason noted, where what the layer computes is also used elsewhere, a constant varies by
pixel, BatchNormalization is in training mode, or the map is the end of a LayerNormalization written in small operators
(without it onnxruntime does not fuse the rest).  It is refused (`InvalidModel`) where a parameter is NaN or infinite or
the variance is negative.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from onnxpress.constants import remove
from onnxpress.kinds import Context, Pass
from onnxpress.naming import Names, described
from onnxpress.ranges import META_KEY
from onnxpress.records import Notes
from onnxpress.rewiring import replace_uses
from onnxpress_plugins import layer_selection
from onnxpress_plugins.folding.affine import Affine, Obstacle, along, is_per_channel, operand
from onnxpress_plugins.folding.affine_paths import NoLayer, Reach, downstream, upstream


class FoldBatchNorm(ir.passes.InPlacePass):
    """Folds every chain of affine nodes into the layers behind which it stands, or else into those before it.

    Args:
        notes: Where to say what was folded, and what was not and why.
        exclude_layers: Layers that stay as they are, as `layer_selection` has it.
        ahead: Whether to fold into layers before which a chain stands.
    """

    def __init__(self, notes: Notes, *, exclude_layers: Sequence[str] = (), ahead: bool = True) -> None:
        self.notes = notes
        self._excluded = exclude_layers
        self._folds = (_fold_behind, _fold_ahead) if ahead else (_fold_behind,)

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """One sweep in topological order; what it leaves cannot be folded later either, so there is no second.

        Raises:
            InvalidModel: A parameter of BatchNormalization is NaN or infinite, or its variance is negative.
            InvalidOption: A layer to exclude is not in the model.
        """
        layer_selection.check("exclude_layers", self._excluded, model)
        names = Names(model)
        declined: set[ir.Node] = set()
        modified = False
        for graph in model.graphs():
            for node in graph:
                if operand(node) is not None and node not in declined:
                    chain = _chain(node)
                    if self._fold(chain, names):
                        modified = True
                    else:
                        declined.update(chain)
        return ir.passes.PassResult(model, modified)

    def _fold(self, chain: list[ir.Node], names: Names) -> bool:
        obstacles = []
        for fold in self._folds:
            try:
                folded, kind = fold(chain, names, self._excluded)
            except Obstacle as obstacle:
                obstacles.append(obstacle)
                continue
            for node in folded:
                self.notes.count(f"{node.op_type} folded into {kind}")
            return bool(folded)
        if any(map(is_per_channel, chain)) or not all(isinstance(obstacle, NoLayer) for obstacle in obstacles):
            self.notes.decline(chain[0], "; ".join(map(str, obstacles)))
        return False


def _chain(node: ir.Node) -> list[ir.Node]:
    """`node` and the affine nodes that follow it, each the only user of the one before."""
    chain = [node]
    while True:
        output = chain[-1].outputs[0]
        users = output.uses()
        if len(users) != 1 or output.is_graph_output():
            return chain
        user = next(iter(users)).node
        if user.graph is not node.graph or operand(user) is not output:
            return chain
        chain.append(user)


def _fold_behind(chain: Sequence[ir.Node], names: Names, excluded: Sequence[str]) -> tuple[list[ir.Node], str]:
    """Fold the longest possible beginning of `chain` into the layers that make its input.

    Returns:
        The nodes that are gone and the kind of layer they went into; none if there is nothing to gain.
    """
    reach = upstream(_input(chain[0]), chain[0].graph)
    _check_excluded(reach, excluded)
    affine, taken = _compose(chain, reach)
    if _is_mere_bias(affine, taken, reach) and (len(reach.layers) > 1 or len(reach.between) == 1):
        return [], ""  # it is where a bias is, or one Add serves many layers
    _move(affine, reach, names)
    made, result = _input(taken[0]), taken[-1].outputs[0]
    name = result.name
    replace_uses(result, made)
    remove(taken)
    made.name = name  # the tensor that had this name has it still, and its measured range
    made.meta.update(result.meta)
    return taken, reach.layers[0][0].node.op_type


def _fold_ahead(chain: Sequence[ir.Node], names: Names, excluded: Sequence[str]) -> tuple[list[ir.Node], str]:
    """Fold the longest possible end of `chain` into the layers that use its output; returns as `_fold_behind`."""
    if _ends_layer_norm(chain[0]):
        raise Obstacle("it ends a LayerNormalization, which onnxruntime would no longer recognise")
    reach = downstream(chain[-1].outputs[0], chain[0].graph)
    _check_excluded(reach, excluded)
    affine, taken = _compose(chain[::-1], reach, backwards=True)
    if _widens(_input(taken[-1]), taken[0].outputs[0]):
        raise Obstacle("its constant may widen what it is combined with")
    if _is_mere_bias(affine, taken, reach):
        raise Obstacle(f"a shift before {reach.layers[0][0].node.op_type} would only move behind it")
    _move(affine, reach, names, ahead=True)
    taken[0].outputs[0].replace_all_uses_with(_input(taken[-1]))
    remove(taken)
    return taken, reach.layers[0][0].node.op_type


def _check_excluded(reach: Reach, excluded: Sequence[str]) -> None:
    for layer, _ in reach.layers:
        if any(layer_selection.selects(selector, layer.node) for selector in excluded):
            raise Obstacle(f"{described(layer.node)} is excluded")


def _compose(chain: Sequence[ir.Node], reach: Reach, *, backwards: bool = False) -> tuple[Affine, list[ir.Node]]:
    """The map of as many nodes of `chain` as are affine along the channels, at least one, and those nodes."""
    affine, taken = along(chain[0], reach.channels), [chain[0]]
    for node in chain[1:]:
        try:
            step = along(node, reach.channels)
        except Obstacle:
            break
        affine = step.then(affine) if backwards else affine.then(step)
        taken.append(node)
    return affine, taken


def _widens(before: ir.Value, after: ir.Value) -> bool:
    """Whether broadcasting gives `after` another shape than `before`, as far as is known."""
    if before.shape is None or after.shape is None or len(before.shape) != len(after.shape):
        return True
    sizes = zip(before.shape, after.shape, strict=True)
    return any(old != new for old, new in sizes if isinstance(old, int) or isinstance(new, int))


def _is_mere_bias(affine: Affine, taken: Sequence[ir.Node], reach: Reach) -> bool:
    """Whether this is one Add at layers that cannot add a bias themselves."""
    return len(taken) == 1 and not affine.scales and not any(layer.takes_bias for layer, _ in reach.layers)


def _ends_layer_norm(node: ir.Node) -> bool:
    """Whether the input of `node` has just been divided by its own deviation."""
    maker = _input(node).producer()
    divisor = maker.inputs[1] if maker is not None and maker.op_type == "Div" else None
    root = None if divisor is None else divisor.producer()
    return root is not None and root.op_type == "Sqrt"


def _move(affine: Affine, reach: Reach, names: Names, *, ahead: bool = False) -> None:
    """Change the layers, all or none; ranges measured on values that change with them are forgotten."""
    reach.check(affine)
    changed = [layer.ahead(part) if ahead else layer.behind(part) for layer, part in reach.parts(affine)]
    for value in reach.between:
        value.meta.pop(META_KEY, None)
    for folded in changed:
        folded.store(names)


def _input(node: ir.Node) -> ir.Value:
    value = operand(node)
    assert value is not None
    return value


def _build(
    context: Context,
    *,
    exclude_layers: list[str] = [],  # noqa: B006
    ahead: bool = True,
) -> ir.passes.PassBase:
    return FoldBatchNorm(context.notes, exclude_layers=exclude_layers, ahead=ahead)


FOLD_BATCH_NORM = Pass(
    name="fold-batch-norm",
    summary="Fold BatchNormalization, in one piece or in small operators, into linear layers",
    build=_build,
)
