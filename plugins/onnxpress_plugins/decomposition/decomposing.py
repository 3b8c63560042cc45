"""Replace convolutions and matrix products by stacks of smaller ones that compute nearly the same.

A kernel as a matrix, its axes shared out between rows and columns, has a best product of two thin matrices in place of
it, which are two kernels; Tucker-2 makes three (`onnxpress.decomposition.forms`).  At full rank the stack is the layer,
strides and zero padding included; a smaller rank is cheaper and errs by the singular values that it leaves out.

    form      how kernels are parted                                    `ways`
    policy    which rank each layer gets                                `rank_choice`
    min_gain  smallest share of its multiplications a layer must save   `acceptance`
    max_error largest relative error that a layer may make of it

BatchNormalization should be folded before: its scale says which outputs of a layer matter.  A layer lives on as
``<layer>/decom_last``, with its output, its bias and everything else; the part before it is ``<layer>/decom_first``.
Layers are declined, and the reason noted, if they are grouped, quantised already, share their weight, or if no stack is
cheaper and true enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import repeat

import onnx_ir as ir

from onnxpress.decomposition.layer_stacks import OPERATORS
from onnxpress.decomposition.rewriting import rewrite
from onnxpress.errors import InvalidOption
from onnxpress.kinds import Context, Pass
from onnxpress.naming import Names
from onnxpress_plugins import layer_selection
from onnxpress_plugins.decomposition.acceptance import Acceptance
from onnxpress_plugins.decomposition.amct_rule import amct_ways
from onnxpress_plugins.decomposition.candidates import Candidate, Option, candidate
from onnxpress_plugins.decomposition.layers import obstacle
from onnxpress_plugins.decomposition.nominal_sizes import nominal_sizes
from onnxpress_plugins.decomposition.prospects import Prospect, prospect
from onnxpress_plugins.decomposition.rank_choice import Policy, Rule, choose
from onnxpress_plugins.decomposition.ways import FormName, ways
from onnxpress_plugins.quantization.exclusions import Exclusions


class Decompose(ir.passes.InPlacePass):
    """The pass.

    Args:
        context: Where progress and notes come from.
        form: How kernels are parted.
        policy: Which rank each layer gets.
        sweeps: Alternating improvements of Tucker-2 stacks.
        exclusions: Layers that stay as they are.
    """

    def __init__(
        self, context: Context, *, form: FormName, policy: Policy, sweeps: int, exclusions: Exclusions
    ) -> None:
        super().__init__()
        self._context = context
        self._form = form
        self._policy = policy
        self._sweeps = sweeps
        self._exclusions = exclusions

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Replace what can be replaced, and say why the rest cannot.

        Raises:
            InvalidModel: A weight holds NaN or infinity.
            InvalidOption: What is excluded, or has ranks, is not in the model, or ranks do not fit their layer.
        """
        self._exclusions.check(model)
        layer_selection.check("ranks", [selector for selector, _ in self._policy.ranks], model)
        found = list(self._prospects(model))
        candidates = self._candidates([own for own in found if isinstance(own, Prospect)])
        chosen = zip(candidates, choose(candidates, self._policy, self._context.notes), strict=True)
        names, modified = Names(model), False
        for own in found:  # what is declined is told in the order of the graph
            if isinstance(own, tuple):
                self._context.notes.decline(*own)
                continue
            layer, option = next(chosen)
            if isinstance(option, str):
                self._context.notes.decline(layer.node, option)
            else:
                self._replace(layer, option, names)
                modified = True
        return ir.passes.PassResult(model, modified)

    def _prospects(self, model: ir.Model) -> Iterator[Prospect | tuple[ir.Node, str]]:
        """Every layer of `model`, or the reason why it is none."""
        sizes, policy = nominal_sizes(model), self._policy
        parted = amct_ways if policy.rule == "amct" else partial(ways, self._form)
        share = None if policy.needs_all_ranks else 1 - policy.acceptance.min_gain
        for node in model.graph.all_nodes():
            if node.domain == "" and node.op_type in OPERATORS:
                reason = self._excluded(node) or obstacle(node)
                yield (node, reason) if reason else prospect(node, parted, sizes, step=policy.step, share=share)

    def _excluded(self, node: ir.Node) -> str | None:
        only = self._exclusions.only
        return "not among only_nodes" if only and node.name not in only else self._exclusions.reason(node)

    def _candidates(self, prospects: Sequence[Prospect]) -> list[Candidate]:
        found = []
        with self._context.progress.task("factors", len(prospects)) as advance:
            for own in prospects:
                found.append(candidate(own, repeat(None), sweeps=self._sweeps, keep_all=self._policy.needs_all_ranks))
                advance()
        return found

    def _replace(self, candidate: Candidate, option: Option, names: Names) -> None:
        notes, node = self._context.notes, candidate.node
        notes.count(f"{node.op_type} decomposed ({option.stack.form})")
        notes.details[candidate.layer.name] = {
            "form": option.stack.form,
            "first_axes": list(option.stack.first_axes),
            "ranks": list(option.stack.ranks),
            "macs": [candidate.macs, option.macs],
            "error": option.error**0.5,
        }
        rewrite(node, option.stack, candidate.weights(option), names=names)


def _ranks(rules: Sequence[str]) -> list[tuple[str, tuple[int, ...]]]:
    """``["conv1: 32", "conv2: 48x64"]`` as layers and ranks."""
    found = []
    for rule in rules:
        layer, _, words = rule.rpartition(": ")
        if not layer or not all(word.isdecimal() for word in words.split("x")):
            raise InvalidOption(f"pass 'decompose': ranks takes LAYER: RANK, or LAYER: RANKxRANK, not {rule!r}")
        found.append((layer, tuple(map(int, words.split("x")))))
    return found


def _build(
    context: Context,
    *,
    form: FormName = "spatial",
    policy: Rule = "budget",
    budget: float = 0.5,
    ratio: float = 0.5,
    energy: float = 0.2,
    ranks: list[str] = [],  # noqa: B006
    step: int = 16,
    sweeps: int = 0,
    min_gain: float = 0.1,
    max_error: float = 0.3,
    exclude_nodes: list[str] = [],  # noqa: B006
    exclude_patterns: list[str] = [],  # noqa: B006
    exclude_ops: list[str] = [],  # noqa: B006
    only_nodes: list[str] = [],  # noqa: B006
) -> ir.passes.PassBase:
    shares = {"budget": budget, "ratio": ratio, "energy": energy, "min_gain": min_gain, "max_error": max_error}
    for name, share in shares.items():
        if not 0 <= share <= 1:
            raise InvalidOption(f"pass 'decompose': {name} is a share, 0 to 1, not {share}")
    if step < 1 or sweeps < 0:
        raise InvalidOption(f"pass 'decompose': step must be positive and sweeps not negative, not {step} and {sweeps}")
    rule = Policy(
        rule=policy,
        ratio=ratio,
        energy=energy,
        budget=budget,
        step=step,
        ranks=_ranks(ranks),
        acceptance=Acceptance(max_error=max_error, min_gain=min_gain),
    )
    exclusions = Exclusions(nodes=exclude_nodes, patterns=exclude_patterns, ops=exclude_ops, only=only_nodes)
    return Decompose(context, form=form, policy=rule, sweeps=sweeps, exclusions=exclusions)


DECOMPOSE = Pass(
    name="decompose",
    summary="Replace layers by stacks of smaller ones that compute nearly the same in fewer multiplications",
    build=_build,
)
