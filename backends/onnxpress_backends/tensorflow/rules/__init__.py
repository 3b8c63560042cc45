"""How each ONNX operator is said with TensorFlow's: one file for each family, each ending in its table ``RULES``."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxpress_backends.tensorflow.call import Rule

FAMILIES = (
    "activations",
    "arg_extremes",
    "arithmetic",
    "arranging",
    "batch_normalization",
    "blocks",
    "branching",
    "casting",
    "choosing",
    "clipping",
    "convolution",
    "cumulation",
    "deformable_convolution",
    "einsum",
    "elementwise",
    "filters",
    "gates",
    "gathering",
    "generating",
    "global_pooling",
    "grid_sampling",
    "integer_arithmetic",
    "joining",
    "local_response",
    "looping",
    "masking",
    "matrix_products",
    "normalization",
    "padding",
    "pooling",
    "quantization",
    "randomness",
    "recurrence",
    "reduction",
    "regions",
    "repeating",
    "resizing",
    "scattering",
    "scattering_windows",
    "sequence_editing",
    "slicing",
    "softmax",
    "spectra",
    "suppression",
    "text",
    "transposed_convolution",
    "tree_ensembles",
    "unit_axes",
    "word_counts",
)


def rules() -> dict[str, Rule]:
    """The rule of every operator, by name; ``domain::name`` outside the default domain."""
    known: dict[str, Rule] = {}
    for family in FAMILIES:
        known.update(import_module(f"{__name__}.{family}").RULES)
    return known
