"""``onnxpress inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxpress.cli import shared_options
from onnxpress.cli.plugin_options import PluginCommand
from onnxpress.kinds import Frontend

EPILOG = """\b
Examples:
  onnxpress inspect model-int8.onnx
  onnxpress inspect model.onnx --nodes
  onnxpress inspect saved_model/ --json
"""


@click.command("inspect", cls=PluginCommand, kinds=(Frontend,), epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@shared_options.frontend
@click.option("--nodes", is_flag=True, help="List every node too, by the name that options take.")
@shared_options.as_json
def command(model: Path, frontend: str | None, nodes: bool, as_json: bool, plugin_options: dict[str, Any]) -> None:
    """Tell what is in MODEL: inputs and outputs, operators, parameters, MACs, how much of it is quantised."""
    from onnxpress.cli.progress import progress
    from onnxpress.cli.reporting import dump
    from onnxpress.cli.tables import inspection_table
    from onnxpress.measuring.sources import inspect_source

    inspection = inspect_source(model, frontend=frontend, progress=progress(), **plugin_options)
    click.echo(dump(inspection) if as_json else inspection_table(inspection, nodes=nodes))
