"""Options that several commands have in common."""

from __future__ import annotations

from pathlib import Path

import click

DATA_HELP = """Samples: a .npz or .npy file, a folder of .npy files or of images, or package.module:function
that yields feeds."""
PREPROCESSING_HELP = """How images become arrays: keras-tf, keras-torch, keras-caffe, tflite, or a TOML file or
KEY=VALUE list with resize, crop, scale, offset, mean, std, channels, layout."""

out = click.option("-o", "--out", type=click.Path(), help="Where to write the result; a folder ends in a slash.")
frontend = click.option("--frontend", metavar="NAME", help="The frontend that reads the model, when several would.")
frontend_of_both = click.option(
    "--frontend", metavar="NAME", help="The frontend that reads the models it accepts, when several would."
)
backend = click.option("--backend", metavar="NAME", help="The backend that writes; by default the suffix decides.")
data = click.option("--data", metavar="DATA", help=DATA_HELP)
preprocessing = click.option("--preprocessing", metavar="SPEC", help=PREPROCESSING_HELP)
labels = click.option("--labels", metavar="FILE", help="Class of each sample (.npy, .npz, .txt): gives accuracy.")
target = click.option("--target", metavar="NAME", help="What to quantise for; by default the recipe's target.")
settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="PASS.OPTION=VALUE",
    help="Change an option of a pass; * as PASS means every pass that has it.",
)
amct_config = click.option(
    "--amct-config",
    metavar="FILE",
    help="AMCT's quant config (JSON, or simplified text): options for the recipe's passes, and the target.",
)
threads = click.option("--threads", type=click.IntRange(min=1), help="Threads of onnxruntime.")
report = click.option(
    "--report",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Also write the report to this file: .json, .txt, or what a plugin adds.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON, for machines.")
random_data = click.option(
    "--random-data", is_flag=True, help="Use noise instead of data: a smoke run, whose ranges mean nothing."
)
