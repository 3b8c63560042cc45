"""``onnxpress list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from onnxpress.cli import shared_options

if TYPE_CHECKING:
    from onnxpress.kinds import Kind
    from onnxpress.registry import Registry

EPILOG = """\b
Examples:
  onnxpress list
  onnxpress list --options
  onnxpress list --json
"""


@click.command("list", epilog=EPILOG)
@click.option("--options", "with_options", is_flag=True, help="Show the options of each pass, frontend and so on.")
@shared_options.as_json
def command(with_options: bool, as_json: bool) -> None:
    """List the plugins and what they offer; a plugin that did not load is listed with the reason."""
    from onnxpress.cli.reporting import dump
    from onnxpress.registry import HOOKS, Registry

    registry = Registry()
    offers = {kind.label: _offers(registry, kind) for kind in HOOKS}
    if as_json:
        plugins = [
            {"name": item.name, "source": item.source, "error": item.reason or None} for item in registry.plugins
        ]
        click.echo(dump({"plugins": plugins, "offers": offers}))
        return
    for plugin in registry.plugins:
        state = f"BROKEN: {plugin.reason}" if plugin.error else "ok"
        click.echo(f"plugin {plugin.name} ({plugin.source}): {state}")
    for label, known in offers.items():
        click.echo(f"\n{label}")
        width = max((len(name) for name in known), default=0)
        for name, offer in known.items():
            click.echo(f"  {name:<{width}}  {offer['summary']}")
            for option in offer["options"] if with_options else ():
                click.echo(f"  {'':<{width}}    {option}")


def _offers(registry: Registry, kind: type[Kind]) -> dict[str, dict[str, Any]]:
    plugins = {offer.name: plugin for plugin, offer in registry.offers(kind)}
    return {
        name: {"plugin": plugins[name], "summary": offer.summary, "options": _options(offer)}
        for name, offer in registry.all(kind).items()
    }


def _options(offer: Kind) -> list[str]:
    from onnxpress.options import schema

    function = next((getattr(offer, name) for name in ("build", "load", "emit") if hasattr(offer, name)), None)
    if function is None:
        return []
    return [f"{o.name}: {o.type_name}" + ("" if o.required else f" = {o.default!r}") for o in schema(function)]
