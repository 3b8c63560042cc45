"""Command-line options made from the option schemas of frontends and backends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from onnxpress.kinds import Backend, Frontend, Kind
from onnxpress.options import Option, schema
from onnxpress.registry import Registry

_FUNCTIONS: dict[type[Kind], Callable[[Any], Callable[..., Any]]] = {
    Frontend: lambda offer: offer.load,
    Backend: lambda offer: offer.emit,
}


class PluginCommand(click.Command):
    """A command that also takes every option of the kinds it names.

    Values reach the command's function in one dictionary, ``plugin_options``; those not given are left out.
    """

    def __init__(self, *args: Any, kinds: tuple[type[Kind], ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kinds = kinds
        self._generated: dict[str, click.Option] | None = None

    def get_params(self, context: click.Context) -> list[click.Parameter]:
        """The command's own options, then the plugins'."""
        own = super().get_params(context)
        return [*own[:-1], *self.generated().values(), *own[-1:]]

    def generated(self) -> dict[str, click.Option]:
        """The options of all plugins that text can give, by parameter name; one that several share appears once."""
        if self._generated is None:
            registry = Registry()
            taken = {param.name for param in self.params}
            owners: dict[str, list[tuple[Option, Kind]]] = {}
            for kind in self.kinds:
                for offer in registry.all(kind).values():
                    for option in schema(_FUNCTIONS[kind](offer)):
                        if option.name not in taken and not option.in_memory:
                            owners.setdefault(option.name, []).append((option, offer))
            self._generated = {name: _click_option(having) for name, having in owners.items()}
        return self._generated

    def invoke(self, context: click.Context) -> Any:
        """Gather the plugins' options into one dictionary."""
        names = self.generated()
        context.params["plugin_options"] = {
            name: context.params.pop(name)
            for name in names
            if context.get_parameter_source(name) is not click.core.ParameterSource.DEFAULT
        }
        for name in names:
            context.params.pop(name, None)
        return super().invoke(context)


def step_options(given: tuple[str, ...]) -> dict[str, str]:
    """Turn ``("calibrate.observer=mse",)`` into ``{"calibrate.observer": "mse"}``."""
    pairs = [item.partition("=") for item in given]
    for item, (name, equals, _) in zip(given, pairs, strict=True):
        if not equals or "." not in name:
            raise click.UsageError(f"--set takes PASS.OPTION=VALUE, not {item!r}")
    return {name: value for name, _, value in pairs}


def _click_option(having: list[tuple[Option, Kind]]) -> click.Option:
    """One option for all who have it, explained by the one that takes the most values, the first of these."""
    option = max((option for option, _ in having), key=lambda option: len(option.type_name))
    flag, owner = f"--{option.name.replace('_', '-')}", _owners([offer for _, offer in having])
    meaning = option.meaning.replace("`", "").removesuffix(".")
    if option.type is bool:
        flag = f"{flag}/--no-{flag.removeprefix('--')}" if option.default else flag
        return click.Option([flag], is_flag=True, default=option.default, help=f"{meaning} ({owner}).".lstrip())
    kind = option.type_name.removesuffix(" or none").replace("list of str", "A,B,...")
    metavar = "PATH" if option.type is Path else "VALUE"
    return click.Option([flag], metavar=metavar, default=None, help=f"{meaning} ({kind}; {owner}).".lstrip())


def _owners(offers: list[Kind]) -> str:
    """``frontend onnx``, or ``backends keras, savedmodel``, or both."""
    names: dict[str, list[str]] = {}
    for offer in offers:
        names.setdefault(offer.label, []).append(offer.name)
    return " and ".join(f"{label}{'s' if len(own) > 1 else ''} {', '.join(own)}" for label, own in names.items())
