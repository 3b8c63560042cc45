"""Models with ranges, as calibration leaves them, and what onnxruntime makes of the quantised ones."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from onnxpress.kinds import Target
from onnxpress.ranges import META_KEY, Range
from onnxpress.runtime import Session
from onnxpress.testing import apply, model
from onnxpress_plugins.quantization.onnxruntime_cpu import ONNXRUNTIME_CPU
from onnxpress_plugins.quantization.qdq_insertion import INSERT_QDQ
from onnxpress_plugins.quantization.quantization_plan import observed, plan


def numbers(*shape: int, seed: int = 0) -> np.ndarray[Any, Any]:
    """Normal random float32."""
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def graph(body: str, *, x: str = "float[N,4,8,8] x", y: str = "y", opset: int = 17, **constants: Any) -> ir.Model:
    """A model with nodes named after their outputs and these initialisers."""
    kinds = {np.dtype("f4"): "float", np.dtype("i8"): "int64", np.dtype("f8"): "double", np.dtype("f2"): "float16"}
    declared = "".join(f", {kinds[a.dtype]}[{','.join(map(str, a.shape))}] {n}" for n, a in constants.items())
    header = f'<ir_version: 10, opset_import: ["" : {opset}]>'
    made = model(f"{header} g ({x}{declared}) => ({y}) {{ {body} }}", **constants)
    for node in made.graph.all_nodes():
        node.name = node.outputs[0].name
    return made


def feeds(model: ir.Model, *, batch: int = 2, seed: int = 1) -> dict[str, Any]:
    """Random inputs; the dynamic dimensions have size `batch`."""
    sizes = {v.name: [d if isinstance(d, int) else batch for d in v.shape or ()] for v in model.graph.inputs}
    return {str(name): numbers(*shape, seed=seed) for name, shape in sizes.items()}


def calibrated(model: ir.Model, target: Target = ONNXRUNTIME_CPU, **excluded: list[str]) -> ir.Model:
    """`model` with the range of every tensor that the plan observes, from one random batch."""
    values = {str(value.name): value for value in observed(plan(model, target, **excluded))}
    if values:
        for name, array in Session(model, outputs=list(values), threads=1).run(feeds(model, batch=8)).items():
            values[name].meta[META_KEY] = Range(float(array.min()), float(array.max()))
    return model


def quantised(model: ir.Model, target: Target = ONNXRUNTIME_CPU, **excluded: list[str]) -> ir.Model:
    """`model` calibrated and quantised."""
    return apply(INSERT_QDQ, calibrated(model, target, **excluded), target=target.name, **excluded)[0]


def runtime_ops(model: ir.Model) -> Counter[str]:
    """How many nodes of each operator onnxruntime runs for `model`, optimisation on."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "optimized.onnx"
        Session(model, optimize=True, threads=1, save_optimized=path)
        return Counter(node.op_type for node in ir.load(path).graph)


def ops(model: ir.Model) -> Counter[str]:
    """How many nodes of each operator the model itself has."""
    return Counter(node.op_type for node in model.graph.all_nodes())
