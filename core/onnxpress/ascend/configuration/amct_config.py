"""AMCT's configuration as a recipe's options.

What a file does not say is as AMCT has it, so that a file means the same to both:

===============================================  ======================================================================
AMCT                                             here
===============================================  ======================================================================
``activation_offset``, ``asymmetric``            option ``asymmetric`` of the observer; target ``ascend-symmetric`` when
                                                 no layer has an offset
``ifmr``, ``hfmg`` and their options             ``calibrate.observer``, ``.observer_options``, ``.layer_observers``
``channel_wise``                                 ``per_tensor``
``arq_quantize``                                 ``rounding = "nearest"``
``quant_enable``, ``skip_layers``                ``exclude_nodes``; ``only_nodes``: a JSON file quantises what it lists
``skip_layer_types``                             ``exclude_ops``
``do_fusion``, ``skip_fusion_layers``            ``fold-batch-norm.exclude_layers``
``batch_num``                                    ``samples``, see `limit`
===============================================  ======================================================================

A setting of a layer stands for all settings of its type, and one of a type for all common ones; only ``asymmetric``,
where a layer does not say it, is that of the common settings with the same algorithm, or else ``activation_offset``.
Source: ``common/config/config_base.py`` of ``hicann/amct``.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from onnxpress.ascend.configuration.layer_settings import LayerSettings, refused
from onnxpress.ascend.layer_types import ONE_SCALE, is_of_type, operators
from onnxpress.errors import InvalidRecipe
from onnxpress.kinds import SOURCE_NAME_KEY

if TYPE_CHECKING:
    import onnx_ir as ir


@dataclass(frozen=True, kw_only=True)
class AmctConfig:
    """What a file of either form says.

    Attributes:
        source: What errors call it.
        batch_num: Batches to calibrate with, if the file says.
        activation_offset: Whether activations have an offset, where nothing else is said.
        do_fusion: Whether BatchNormalization is folded.
        skip_fusion_layers: Layers that it is not folded into.
        skip_layers: Layers that stay float.
        skip_layer_types: Types of layers that stay float.
        common: The settings of most layers.
        types: Those of types of layers.
        layers: Those of layers.
        listed: The layers to quantise, if these are all; None: all that can be.
        warnings: Sentences on keys that change nothing here.
    """

    source: str
    batch_num: int | None = None
    activation_offset: bool = True
    do_fusion: bool = True
    skip_fusion_layers: tuple[str, ...] = ()
    skip_layers: tuple[str, ...] = ()
    skip_layer_types: tuple[str, ...] = ()
    common: LayerSettings = field(default_factory=LayerSettings)
    types: Mapping[str, LayerSettings] = field(default_factory=dict)
    layers: Mapping[str, LayerSettings] = field(default_factory=dict)
    listed: tuple[str, ...] | None = None
    warnings: tuple[str, ...] = ()

    def settings(self, node: ir.Node) -> LayerSettings:
        """What holds for `node`: the settings of the layer, of its type, or the common ones."""
        of_types = [settings for kind, settings in self.types.items() if is_of_type(node, kind)]
        return self.layers.get(node.name or "", of_types[-1] if of_types else self.common)

    def is_asymmetric(self, settings: LayerSettings) -> bool:
        """Whether the activation of a layer with `settings` has an offset."""
        if settings.asymmetric is not None:
            return settings.asymmetric
        if self.common.asymmetric is not None and settings.observer == self.common.observer:
            return self.common.asymmetric
        return self.activation_offset

    @property
    def target(self) -> str:
        """``ascend``, or ``ascend-symmetric`` when no layer has an offset."""
        every = [*self.types.values(), *self.layers.values(), *([] if self.listed else [self.common])]
        return "ascend" if any(map(self.is_asymmetric, every)) else "ascend-symmetric"

    def options(self, passes: Collection[str]) -> dict[str, Any]:
        """Options for the steps of a recipe, by ``pass.option``, or ``*.option`` for every pass that has it.

        Args:
            passes: Names of the recipe's passes.
        """
        usual = self._usual()
        rules = [(f"<{kind}>", self._words(own)) for kind, own in self.types.items()]
        rules += [(name, self._words(own)) for name, own in self.layers.items()]
        if not self.types:
            rules = [(selector, words) for selector, words in rules if words != usual]
        options: dict[str, Any] = {
            "calibrate.observer": usual[0],
            "calibrate.observer_options": list(usual[1:]),
            "calibrate.layer_observers": [f"{selector}: {' '.join(words)}" for selector, words in rules],
            "*.rounding": "nearest",
            "*.per_tensor": self._per_tensor(),
            "*.only_nodes": list(self.listed or ()),
            "*.exclude_nodes": list(self.skip_layers),
            "*.exclude_ops": list(self.skip_layer_types),
        }
        if "fold-batch-norm" in passes:
            options["fold-batch-norm.exclude_layers"] = list(self.skip_fusion_layers) if self.do_fusion else ["*"]
        return {name: value for name, value in options.items() if value or name == "calibrate.observer_options"}

    def renamed(self, model: ir.Model) -> AmctConfig:
        """This configuration with layers called as `model` calls them, where its source calls them otherwise."""
        names = {node.meta.get(SOURCE_NAME_KEY): node.name for node in model.graph.all_nodes() if node.name}

        def called(layers: Iterable[str]) -> tuple[str, ...]:
            return tuple(names.get(layer) or layer for layer in layers)

        return replace(
            self,
            skip_fusion_layers=called(self.skip_fusion_layers),
            skip_layers=called(self.skip_layers),
            layers=dict(zip(called(self.layers), self.layers.values(), strict=True)),
            listed=None if self.listed is None else called(self.listed),
        )

    def resolved(self, model: ir.Model) -> AmctConfig:
        """This configuration without types that `model` lacks, and with products of matrices by name.

        Folding makes a Gemm of a MatMul, which keeps its name but not its type.

        Args:
            model: The model before any pass.
        """
        matrices = tuple(node.name for node in model.graph if node.op_type == "MatMul" and node.name)
        kinds = [kind for kind in (*self.types, *self.skip_layer_types) if operators(kind) == ("MatMul",)]
        own = {name: self.types[kind] for kind in kinds if kind in self.types for name in matrices}
        skipped = matrices if any(kind in self.skip_layer_types for kind in kinds) else ()
        left = [kind for kind in self.skip_layer_types if kind not in kinds]
        return replace(
            self,
            types={kind: settings for kind, settings in self.types.items() if kind not in kinds},
            layers={**own, **self.layers},
            skip_layers=tuple(dict.fromkeys((*self.skip_layers, *skipped))),
            skip_layer_types=tuple(kind for kind in left if any(is_of_type(node, kind) for node in model.graph)),
        )

    def limit(self, batch: int | None) -> tuple[int | None, list[str]]:
        """How many samples `batch_num` leaves to calibrate with, and what there is to say about it.

        A file counts batches, and their size is that of the script that it was made for.  Only where the model has a
        size of its own is it known here; elsewhere all samples are used.

        Args:
            batch: Size of the model's batch dimension; None when it is open.

        Returns:
            Runs of the model, each of a whole batch; None for all samples.
        """
        if self.batch_num is None or batch is not None:
            return self.batch_num, []
        sentence = (
            f"{self.source}: batch_num {self.batch_num} counts batches of a size that the file does not tell, so all "
            f"samples are used; --set calibrate.samples=N uses N"
        )
        return None, [sentence]

    def check(self, model: ir.Model) -> list[str]:
        """See that the layers are in `model`, and that they can be as they are to be.

        Returns:
            What the user should know: the keys that change nothing.

        Raises:
            InvalidRecipe: A name is not that of a node, a type is none that AMCT quantises, or a matrix is to have
                scales per channel.
        """
        nodes = {node.name: node for node in model.graph.all_nodes() if node.name}
        for key, names in (
            ("skip_fusion_layers", self.skip_fusion_layers),
            ("skip_layers", self.skip_layers),
            ("layers", (*self.layers, *(self.listed or ()))),
        ):
            for name in names:
                if name not in nodes:
                    near = difflib.get_close_matches(name, nodes, n=1)
                    hint = f"did you mean {near[0]!r}?" if near else "`onnxpress inspect --nodes` lists them"
                    raise InvalidRecipe(f"{self.source}, {key}: no node is called {name!r}; {hint}")
        for name, own in self.layers.items():
            if own.channel_wise and nodes[name].op_type in ONE_SCALE:
                raise refused(f"{self.source}, layer {name!r}", "channel_wise", "its weight has one scale")
        kinds = dict.fromkeys((*self.types, *self.skip_layer_types))
        unused = [kind for kind in kinds if not any(is_of_type(node, kind) for node in nodes.values())]
        return [*self.warnings, *(f"{self.source}: the model has no layer of type {kind!r}" for kind in unused)]

    def _usual(self) -> tuple[str, ...]:
        """The observer and its options that most layers have."""
        if self.listed is None:
            return self._words(self.common)
        return Counter(self._words(self.layers.get(name, self.common)) for name in self.listed).most_common(1)[0][0]

    def _words(self, settings: LayerSettings) -> tuple[str, ...]:
        options = (*settings.options, *(() if self.is_asymmetric(settings) else (("asymmetric", "false"),)))
        return (settings.observer, *(f"{name}={value}" for name, value in options))

    def _per_tensor(self) -> list[str]:
        """Selectors of weights with one scale; after ``!``, of those that have more in spite of an earlier one."""
        rules = [("*", self.common), *((f"<{kind}>", own) for kind, own in self.types.items()), *self.layers.items()]
        selectors: list[str] = []
        for selector, own in rules:
            if own.channel_wise is False:
                selectors.append(selector)
            elif any(earlier.startswith(("*", "<")) for earlier in selectors):
                selectors.append(f"!{selector}")
        return selectors
