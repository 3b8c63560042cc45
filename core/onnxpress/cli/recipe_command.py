"""``onnxpress recipe``."""

from __future__ import annotations

import click

from onnxpress.cli import shared_options

EPILOG = """\b
Examples:
  onnxpress recipe list
  onnxpress recipe show int8 > my-int8.toml
"""


@click.group("recipe", epilog=EPILOG)
def command() -> None:
    """List the built-in recipes, or show one as TOML to start your own from."""


@command.command("list")
@shared_options.as_json
def list_recipes(as_json: bool) -> None:
    """List the built-in recipes.

    \b
    Example:
      onnxpress recipe list
    """
    from onnxpress.cli.reporting import dump
    from onnxpress.recipe import built_in

    known = built_in()
    if as_json:
        click.echo(dump({name: recipe.summary for name, recipe in known.items()}))
        return
    width = max(map(len, known))
    for name, recipe in known.items():
        click.echo(f"{name:<{width}} {recipe.summary}")
        click.echo(f"{'':<{width}} {' > '.join(step.name for step in recipe.steps)}")


@command.command("show")
@click.argument("name")
@shared_options.as_json
def show_recipe(name: str, as_json: bool) -> None:
    """Print recipe NAME (built-in, or a file) as TOML.

    \b
    Example:
      onnxpress recipe show int8
    """
    from onnxpress.cli.reporting import dump
    from onnxpress.recipe import find, to_toml

    recipe = find(name)
    click.echo(dump(recipe) if as_json else to_toml(recipe), nl=as_json)
