"""The command line.  `--help` imports nothing but click; each command imports what it needs when it runs."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import click

from onnxpress import __version__
from onnxpress.errors import InvalidOption, InvalidRecipe, OnnxpressError, UnknownName

COMMANDS = {
    "convert": "Bring a model to ONNX, or from there to TensorFlow or TFLite.",
    "compress": "Take a model through a recipe, for example int8.",
    "calibrate": "Find the scales of a model and write them, without a model.",
    "simulate": "Tell what an Ascend deploy model gives on the device.",
    "compare": "Compare the outputs of two models on data.",
    "bench": "Time one model, or two against each other.",
    "inspect": "Tell what is in a model.",
    "recipe": "List the built-in recipes, or show one.",
    "list": "List the plugins and what they offer.",
}

EPILOG = """\b
Examples:
  onnxpress convert saved_model/ -o model.onnx
  onnxpress convert model.onnx -o model.pb
  onnxpress compress model.keras --data calibration.npz -o model-int8.onnx
  onnxpress compare model.keras model-int8.onnx --data test.npz --labels labels.npy
"""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are asked for; their one-line helps are known before."""

    def list_commands(self, context: click.Context) -> list[str]:
        """The commands, in the order people meet them."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """Import one command."""
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"onnxpress.cli.{name}_command").command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="onnxpress")
def cli() -> None:
    """Convert and compress models on the ONNX graph."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 asked for something that does not exist."""
    from onnxpress.cli.supervising import supervise

    sys.exit(supervise(lambda: _run(arguments), sys.argv[1:] if arguments is None else arguments))


def _run(arguments: list[str] | None) -> int:
    try:
        outcome: Any = cli.main(args=arguments, prog_name="onnxpress", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted; no file is half-written", 1)
    except (InvalidOption, InvalidRecipe, UnknownName) as error:
        return _fail(str(error), 2)
    except OnnxpressError as error:
        return _fail(str(error), 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        return _fail("not enough memory; use a smaller model, or fewer samples at a time", 1)
    except Exception as error:  # a defect of ours: one line for the user, the traceback for who wants it
        if os.environ.get("ONNXPRESS_DEBUG"):
            traceback.print_exc()
        hint = "set ONNXPRESS_DEBUG=1 for the traceback, and please report it"
        return _fail(f"internal error: {type(error).__name__}: {error} ({hint})", 1)


def _fail(message: str, code: int) -> int:
    click.echo(f"onnxpress: {message}", err=True)
    return code
