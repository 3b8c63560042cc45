"""``onnxpress compress``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxpress.cli import shared_options
from onnxpress.cli.plugin_options import PluginCommand, step_options
from onnxpress.kinds import Backend, Frontend

EPILOG = """\b
Examples:
  onnxpress compress saved_model/ --data calibration.npz -o model-int8.onnx
  onnxpress compress model.keras --data photos/ --preprocessing keras-tf -o model-int8.onnx \\
      --set calibrate.observer=entropy --eval-data test.npz --labels labels.npy
  onnxpress compress model.onnx --recipe my-recipe.toml --random-data -o smoke.onnx
  onnxpress compress model.onnx --data calibration.npz --target tflite -o model.tflite --nhwc
  onnxpress compress model.onnx --data calibration.npz -o trainable/
  onnxpress compress model.onnx --data calibration.npz --amct-config quant.cfg -o net_deploy_model.onnx --batch 1
"""


@click.command("compress", cls=PluginCommand, kinds=(Frontend, Backend), epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@shared_options.out
@click.option("--recipe", default="int8", show_default=True, metavar="NAME|FILE", help="A built-in recipe, or a file.")
@shared_options.data
@shared_options.preprocessing
@shared_options.random_data
@click.option("--eval-data", metavar="DATA", help="Samples to compare on; by default those of --data.")
@shared_options.labels
@shared_options.target
@shared_options.settings
@shared_options.amct_config
@click.option("--bench/--no-bench", default=True, show_default=True, help="Time both models at one thread.")
@shared_options.threads
@shared_options.frontend
@shared_options.backend
@click.option("--reproducer", type=click.Path(path_type=Path), help="Folder for what reruns a step that fails.")
@shared_options.report
@shared_options.as_json
def command(
    model: Path,
    out: str | None,
    eval_data: str | None,
    settings: tuple[str, ...],
    report: Path | None,
    as_json: bool,
    plugin_options: dict[str, Any],
    **given: Any,
) -> None:
    """Take MODEL through a recipe, measure what that did, and write the result."""
    from onnxpress.cli.progress import progress
    from onnxpress.cli.reporting import check_report, show
    from onnxpress.registry import Registry
    from onnxpress.workflow import compress

    registry = Registry()
    check_report(report, None if out is None else Path(out), registry)
    result = compress(
        model,
        out=out,
        evaluation=eval_data,
        step_options=step_options(settings),
        registry=registry,
        progress=progress(),
        **given,
        **plugin_options,
    )
    show(result.run, registry, as_json=as_json, report=report)
