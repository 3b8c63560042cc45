"""Write AMCT's JSON configuration for a model, as its ``create_quant_config`` does: every layer with its parameters.

Listed are the layers that the target would quantise; those to skip have ``quant_enable: false``.  Parameters are AMCT's
defaults, or what its simplified configuration (``config_defination``) says.  The model is not changed: either tool can
then be told, in AMCT's words, to quantise the same layers in the same way.

Layers go by the names that the source of the model has for them: those of TensorFlow for a graph of TensorFlow.
Matrices have one scale for their weight, whatever common settings say, since AMCT has no other for them.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import onnx_ir as ir

from onnxpress.ascend.configuration.amct_config import AmctConfig
from onnxpress.ascend.configuration.json_form import render
from onnxpress.ascend.configuration.reading import read
from onnxpress.ascend.layer_types import LAYERS, is_of_type
from onnxpress.errors import InvalidOption
from onnxpress.files import atomic
from onnxpress.kinds import Catalog, Context, Pass, Target
from onnxpress.records import Notes
from onnxpress_plugins.quantization.quantization_plan import plan


class WriteAmctConfig(ir.passes.InPlacePass):
    """The pass.

    Args:
        target: What the model will run on.
        config: What holds for all layers, for types, and for some by name.
        file: Where to write.
        notes: Where to say which layers are listed, and which are not and why.
    """

    def __init__(self, target: Target, config: AmctConfig, file: Path, notes: Notes) -> None:
        super().__init__()
        self._target = target
        self._config = config
        self._file = file
        self._notes = notes

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Write the file.

        Raises:
            InvalidRecipe: The settings name a layer that is not there, or cannot be as they say.
            InvalidOption: No layer is left to quantise.
        """
        config = self._config.renamed(model)
        for sentence in config.check(model):
            self._notes.warn(sentence)
        decided = plan(model, self._target)
        for node, reason in decided.declined:
            if node.op_type in LAYERS:
                self._notes.decline(node, reason)
        nodes = [unit.node for unit in decided.units if unit.node.op_type in LAYERS]
        enabled = {node: not _is_skipped(node, config) for node in nodes}
        if not any(enabled.values()):
            raise InvalidOption(
                f"no layer is left that {self._target.name} would quantise, so that AMCT would do nothing"
            )
        content = render(replace(config, skip_fusion_layers=self._config.skip_fusion_layers), enabled)
        with atomic(self._file) as staged:
            staged.write_text(content, encoding="utf-8")
        self._notes.count("layers to quantise", sum(enabled.values()))
        self._notes.count("layers to skip", len(nodes) - sum(enabled.values()))
        self._notes.details["config"] = str(self._file)
        return ir.passes.PassResult(model, modified=False)


def _is_skipped(node: ir.Node, config: AmctConfig) -> bool:
    unlisted = config.listed is not None and node.name not in config.listed
    named = unlisted or node.name in config.skip_layers
    return named or any(is_of_type(node, kind) for kind in config.skip_layer_types)


def _build(
    context: Context,
    *,
    file: Path,
    definition: Path | None = None,
    skip_layers: list[str] = [],  # noqa: B006
    skip_layer_types: list[str] = [],  # noqa: B006
    batch_num: int = 1,
    activation_offset: bool = True,
    target: str | None = None,
) -> ir.passes.PassBase:
    said = AmctConfig(
        source="pass 'write-amct-config'",
        batch_num=batch_num,
        activation_offset=activation_offset,
        skip_layers=tuple(skip_layers),
        skip_layer_types=tuple(skip_layer_types),
    )
    if definition is not None:
        if (batch_num, activation_offset, skip_layers, skip_layer_types) != (1, True, [], []):
            raise InvalidOption("pass 'write-amct-config': the definition says it all; put the other options into it")
        said = read(definition)
    return WriteAmctConfig(_target(context, said, target), said, file, context.notes)


def _target(context: Context, config: AmctConfig, given: str | None) -> Target:
    """The target that is given, or the one for Ascend that has offsets as `config` does."""
    catalog: Catalog = context.catalog
    if given is None and context.target == "ascend":
        given = config.target
    return catalog.get(Target, given or context.target)


WRITE_AMCT_CONFIG = Pass(
    name="write-amct-config",
    summary="Write AMCT's JSON configuration: the layers that the target would quantise, with their parameters",
    build=_build,
)
