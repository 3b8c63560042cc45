"""``onnxpress compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxpress.cli import shared_options
from onnxpress.cli.plugin_options import PluginCommand
from onnxpress.kinds import Frontend

EPILOG = """\b
Examples:
  onnxpress compare model.onnx model-int8.onnx --data test.npz --labels labels.npy
  onnxpress compare saved_model/ model.onnx --random-data
"""


@click.command("compare", cls=PluginCommand, kinds=(Frontend,), epilog=EPILOG)
@click.argument("a", type=click.Path(path_type=Path))
@click.argument("b", type=click.Path(path_type=Path))
@shared_options.data
@shared_options.preprocessing
@shared_options.random_data
@shared_options.labels
@shared_options.threads
@shared_options.frontend_of_both
@shared_options.as_json
def command(
    a: Path,
    b: Path,
    data: str | None,
    preprocessing: str | None,
    random_data: bool,
    labels: str | None,
    threads: int | None,
    frontend: str | None,
    as_json: bool,
    plugin_options: dict[str, Any],
) -> None:
    """Compare the outputs of B with those of A on the same samples.

    Each may be an ONNX file (run by onnxruntime, graph optimisation off) or a TensorFlow model (run by TensorFlow).
    """
    from onnxpress.cli.progress import progress
    from onnxpress.cli.reporting import dump
    from onnxpress.cli.tables import comparison_table
    from onnxpress.measuring.sources import compare_sources
    from onnxpress.registry import Registry

    comparison = compare_sources(
        a,
        b,
        data=data,
        preprocessing=preprocessing,
        random_data=random_data,
        labels=labels,
        threads=threads,
        frontend=frontend,
        registry=Registry(),
        progress=progress(),
        **plugin_options,
    )
    click.echo(dump(comparison) if as_json else comparison_table(comparison))
