"""Everything onnxpress raises on purpose: one sentence that says what was wrong, with what, and what to do."""

from __future__ import annotations


class OnnxpressError(Exception):
    """Base of the errors a user can act on; the command line prints them without a traceback."""


class UnknownName(OnnxpressError):
    """No plugin offers the name that was asked for."""


class Conflict(OnnxpressError):
    """Two plugins offer the same name."""


class InvalidPlugin(OnnxpressError):
    """A plugin's hook returned something that is not what the hook promises."""


class InvalidOption(OnnxpressError):
    """An option is unknown, missing, or of the wrong type."""


class InvalidRecipe(OnnxpressError):
    """A recipe file cannot be read or says something that a recipe cannot say."""


class InvalidModel(OnnxpressError):
    """A model file is corrupt, or a graph breaks a rule that every graph must keep."""


class UnsupportedModel(OnnxpressError):
    """The model is sound, but something in it cannot be represented or is refused."""


class InvalidData(OnnxpressError):
    """Calibration or evaluation data do not fit the model, or are missing."""


class MissingDependency(OnnxpressError):
    """An optional package is needed; the message names the extra that brings it."""


class StepFailed(OnnxpressError):
    """A pass raised, or left an invalid graph; the caller's model is as it was before the step."""


def reason(error: BaseException) -> str:
    """What a foreign exception says, on one line; libraries that wrap errors bury it in the innermost cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__
