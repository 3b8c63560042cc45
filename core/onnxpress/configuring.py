"""A recipe as the user wants it: with the options and the target given, and what a configuration of AMCT says.

Options that are given win over the configuration, and the configuration over the recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from onnxpress.data.feeding import fixed_rows
from onnxpress.errors import InvalidOption
from onnxpress.kinds import Pass
from onnxpress.options import schema
from onnxpress.recipe import Recipe
from onnxpress.registry import Registry
from onnxpress.runtime import ports

if TYPE_CHECKING:
    import onnx_ir as ir

    from onnxpress.ascend.configuration.amct_config import AmctConfig


def configured(
    recipe: Recipe,
    registry: Registry,
    *,
    step_options: Mapping[str, Any],
    target: str | None,
    config: AmctConfig | None = None,
) -> Recipe:
    """The recipe with all that can be said before the model is there.

    Args:
        recipe: As it is written.
        registry: Where passes are looked up.
        step_options: Values by ``"pass.option"``; ``"*.option"`` is for every pass that has it.
        target: Name of the target; None leaves it to the configuration, or else to the recipe.
        config: What AMCT would be told, if anything.

    Raises:
        InvalidOption: The recipe has no such pass or option, or has nothing that a configuration could be for.
    """
    if config is not None:
        passes = [step.name for step in recipe.steps]
        if "calibrate" not in passes:
            raise InvalidOption(
                f"{config.source} is for a recipe with a step 'calibrate', and {recipe.name!r} has none"
            )
        options = config.options(passes)
        recipe = recipe.override(_everywhere(options, recipe, registry)).with_target(config.target)
    return recipe.override(_everywhere(step_options, recipe, registry)).with_target(target)


def fitted(
    recipe: Recipe, registry: Registry, *, step_options: Mapping[str, Any], config: AmctConfig | None, model: ir.Model
) -> tuple[Recipe, list[str]]:
    """The recipe with what only the model tells: names and types of layers, how many samples a batch has.

    Args:
        recipe: The `configured` one.
        registry: Where passes are looked up.
        step_options: As for `configured`.
        config: As for `configured`.
        model: The model, as it is loaded.

    Returns:
        The recipe, and sentences that the user must see.

    Raises:
        InvalidRecipe: The configuration is not for this model.
    """
    if config is None:
        return recipe, []
    config = config.renamed(model)
    warnings = config.check(model)
    passes = [step.name for step in recipe.steps]
    resolved = config.resolved(model).options(passes)
    options = {key: resolved.get(key, []) for key in (*config.options(passes), *resolved)}
    if not any(key.endswith(".samples") for key in step_options):
        samples, explained = config.limit(next(filter(None, map(fixed_rows, ports(model.graph.inputs))), None))
        options |= {} if samples is None else {"*.samples": samples}
        warnings += explained
    spelt = _everywhere(options, recipe, registry, where_known=True)
    left = {
        key: value
        for key, value in spelt.items()
        if key not in step_options and f"*.{key.partition('.')[2]}" not in step_options
    }
    return recipe.override(left), warnings


def _everywhere(
    options: Mapping[str, Any], recipe: Recipe, registry: Registry, *, where_known: bool = False
) -> dict[str, Any]:
    """``*.option`` spelt out for every pass of `recipe` that has the option, which one must unless `where_known`."""
    spelt: dict[str, Any] = {}
    for key, value in options.items():
        wildcard, _, name = key.partition(".")
        if wildcard != "*":
            spelt[key] = value
            continue
        passes = {step.name: schema(registry.get(Pass, step.name).build) for step in recipe.steps}
        having = [step for step, known in passes.items() if name in {option.name for option in known}]
        if not having and not where_known:
            raise InvalidOption(f"no pass of recipe {recipe.name!r} has an option {name!r}")
        spelt.update({f"{step}.{name}": value for step in having})
    return spelt
