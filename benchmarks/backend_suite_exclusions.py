"""Cases of `onnx.backend.test` that do not pass: patterns of their names, and why.

`EXCLUDED` are those that TensorFlow has no types or operators for, and do not count; `GAPS` are those we lack, and do.
"""

from __future__ import annotations

EXCLUDED: dict[str, str] = {
    "(?i)(float8|_e4m3|_e5m2|e8m0|fp8)": "TensorFlow has no arithmetic for 8-bit floats",
    "(?i)(u?int4|_u?int2(_|$)|float4|fp4)": "TensorFlow has no tensors of 4 or 2 bits",
    "(?i)^(adagrad|adam|momentum|nesterov)": "training operators",
    "^gradient_": "training operators",
    "^(bernoulli|training_dropout(_default)?(_mask)?$)": "random numbers are those of a generator",
    "(?i)(^sequence_|_sequence|^identity_(opt|sequence)|^optional_|_opt_seq|seq_)": "sequences are no tensors",
}

GAPS: dict[str, str] = {}
