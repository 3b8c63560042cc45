"""``onnxpress calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxpress.cli import shared_options
from onnxpress.cli.plugin_options import PluginCommand, step_options
from onnxpress.kinds import Frontend

EPILOG = """\b
Examples:
  onnxpress calibrate model.onnx --data calibration.npz --record model.record
  onnxpress calibrate saved_model/ --data calibration.npz --record model.record --target ascend-symmetric \\
      --set calibrate.observer=entropy
  onnxpress calibrate model.onnx --data calibration.npz --ranges ranges.json
  onnxpress compress model.onnx --set calibrate.ranges=ranges.json -o model-int8.onnx
"""


@click.command("calibrate", cls=PluginCommand, kinds=(Frontend,), epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@shared_options.data
@shared_options.preprocessing
@shared_options.random_data
@click.option("--record", type=click.Path(path_type=Path), help="Write the scales here, as AMCT's record file.")
@click.option("--ranges", type=click.Path(path_type=Path), help="Write the ranges of the tensors here, as JSON.")
@click.option(
    "--recipe",
    metavar="NAME|FILE",
    help="The recipe whose steps up to 'calibrate' are run; by default ascend-calibrate for a record, else int8.",
)
@shared_options.target
@shared_options.settings
@shared_options.amct_config
@shared_options.threads
@shared_options.frontend
@shared_options.as_json
def command(
    model: Path, settings: tuple[str, ...], as_json: bool, plugin_options: dict[str, Any], **given: Any
) -> None:
    """Find the scales of MODEL from samples and write them, without writing a model.

    A record goes to any framework of AMCT, or back into a model with the recipe ascend-record.
    """
    from onnxpress.calibrating import calibrate
    from onnxpress.cli.progress import progress
    from onnxpress.cli.reporting import show
    from onnxpress.registry import Registry

    registry = Registry()
    run = calibrate(
        model, step_options=step_options(settings), registry=registry, progress=progress(), **given, **plugin_options
    )
    show(run, registry, as_json=as_json, report=None)
