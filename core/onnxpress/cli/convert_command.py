"""``onnxpress convert``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from onnxpress.cli import shared_options
from onnxpress.cli.plugin_options import PluginCommand
from onnxpress.kinds import Backend, Frontend

EPILOG = """\b
Examples:
  onnxpress convert saved_model/ -o model.onnx
  onnxpress convert frozen.pb --inputs image --outputs probabilities -o model.onnx
  onnxpress convert model.ckpt-9000.meta --outputs probabilities -o model.onnx
  onnxpress convert old.onnx -o tidy.onnx --json
  onnxpress convert model.onnx -o model.pb --nhwc
  onnxpress convert model-int8.onnx -o exact.pb --mode exact
  onnxpress convert model.onnx -o saved_model/
  onnxpress convert model.onnx -o model.keras --nhwc
  onnxpress convert model.onnx -o model.tflite --nhwc --precision float16
"""


@click.command("convert", cls=PluginCommand, kinds=(Frontend, Backend), epilog=EPILOG)
@click.argument("model", type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(), required=True, help="Where to write the result; a folder ends in a slash."
)
@shared_options.frontend
@shared_options.backend
@click.option("--recipe", default="convert", show_default=True, metavar="NAME", help="The passes that tidy.")
@shared_options.report
@shared_options.as_json
def command(
    model: Path,
    out: str,
    frontend: str | None,
    backend: str | None,
    recipe: str,
    report: Path | None,
    as_json: bool,
    plugin_options: dict[str, Any],
) -> None:
    """Bring MODEL to ONNX, tidy it, and write it in the format that --out asks for; the numbers stay the same.

    MODEL is a SavedModel folder, a Keras file (.keras, .h5), a frozen GraphDef (.pb, .pbtxt), a checkpoint of
    TensorFlow 1 (its .meta file or what its files begin with), a TFLite file, an exported program of PyTorch (.pt2) or
    an ONNX file.  What is written is an ONNX file, a frozen GraphDef (.pb), a SavedModel (a folder), a Keras file
    (.keras) or a TFLite file.
    """
    from onnxpress.cli.progress import progress
    from onnxpress.cli.reporting import check_report, show
    from onnxpress.registry import Registry
    from onnxpress.workflow import convert

    registry = Registry()
    check_report(report, Path(out), registry)
    result = convert(
        model,
        out=out,
        recipe=recipe,
        frontend=frontend,
        backend=backend,
        registry=registry,
        progress=progress(),
        **plugin_options,
    )
    show(result.run, registry, as_json=as_json, report=report)
