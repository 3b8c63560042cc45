"""``onnxpress simulate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxpress.ascend.simulation.profiles import PROFILES
from onnxpress.cli import shared_options
from onnxpress.cli.plugin_options import PluginCommand
from onnxpress.kinds import Frontend

EPILOG = """\b
Examples:
  onnxpress simulate model_deploy_model.onnx --data test.npz --labels labels.npy
  onnxpress simulate model_deploy_model.onnx --profile rint --data test.npz --against model.onnx
  onnxpress simulate model_deploy_model.onnx --random-data --probe conv1.quant.output0 -o tensors.npz
"""
PROFILE_HELP = (
    f"""Whose arithmetic: {"; ".join(f"{profile.name}, {profile.summary}" for profile in PROFILES.values())}."""
)
PROBE_HELP = """A tensor inside the model to write with --out, by its name in the deploy file: int8 behind AscendQuant,
int32 behind the operators.  May be repeated."""


@click.command("simulate", cls=PluginCommand, kinds=(Frontend,), epilog=EPILOG)
@click.argument("source", metavar="DEPLOY_MODEL", type=click.Path(path_type=Path))
@click.option("--profile", type=click.Choice([*PROFILES]), default="device", show_default=True, help=PROFILE_HELP)
@shared_options.data
@shared_options.preprocessing
@shared_options.random_data
@shared_options.labels
@click.option("--against", metavar="MODEL", help="Another model to compare with, for example the float one.")
@click.option("--probe", "probes", metavar="TENSOR", multiple=True, help=PROBE_HELP)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), help="Write the outputs of all samples to this .npz file."
)
@shared_options.threads
@click.option("--frontend", metavar="NAME", help="The frontend that reads --against, when several would.")
@shared_options.as_json
def command(source: Path, as_json: bool, plugin_options: dict[str, Any], **given: Any) -> None:
    """Tell what an Ascend deploy model gives on the device, its integers exact to the bit, without a device.

    The outputs are compared with those of exact arithmetic (profile rint), and with another model if one is given.
    """
    from onnxpress.cli.progress import progress
    from onnxpress.cli.reporting import dump
    from onnxpress.cli.tables import simulation_table
    from onnxpress.measuring.simulating import simulate_source

    simulation = simulate_source(source, progress=progress(), **given, **plugin_options)
    click.echo(dump(simulation) if as_json else simulation_table(simulation))
