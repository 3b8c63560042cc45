"""``onnxpress bench``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxpress.cli import shared_options
from onnxpress.cli.plugin_options import PluginCommand
from onnxpress.kinds import Frontend

EPILOG = """\b
Examples:
  onnxpress bench model.onnx
  onnxpress bench model.onnx model-int8.onnx --threads 4
  onnxpress bench saved_model/ model-int8.onnx --json
"""


@click.command("bench", cls=PluginCommand, kinds=(Frontend,), epilog=EPILOG)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path), required=False)
@shared_options.data
@shared_options.preprocessing
@click.option("--runs", type=click.IntRange(min=1), help="Timed runs of each model; by default a few seconds' worth.")
@click.option("--threads", type=click.IntRange(min=1), default=1, show_default=True, help="Threads of onnxruntime.")
@shared_options.frontend_of_both
@shared_options.as_json
def command(a: Path, b: Path | None, as_json: bool, plugin_options: dict[str, Any], **given: Any) -> None:
    """Time model A, or A against B, in onnxruntime: fixed threads, warm-up, interleaved runs.

    Also tells which nodes onnxruntime runs in integer, which stayed float, and why.  Without --data noise is run: time
    does not depend on it.
    """
    from onnxpress.cli.progress import progress
    from onnxpress.cli.reporting import dump
    from onnxpress.cli.tables import benchmark_table
    from onnxpress.measuring.sources import bench_sources

    benchmark = bench_sources(a, b, progress=progress(), **given, **plugin_options)
    click.echo(dump(benchmark) if as_json else benchmark_table(benchmark))
