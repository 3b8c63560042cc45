"""Backend ``ascend-onnx``: the two ONNX files of AMCT, one for ATC, one that simulates it in any runtime."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from onnxpress.kinds import WARNINGS_KEY, Backend
from onnxpress_backends.ascend import fixed_sizes

if TYPE_CHECKING:
    import onnx_ir as ir

_DEPLOY, _FAKE_QUANT = "_deploy_model.onnx", "_fake_quant_model.onnx"


def emit(model: ir.Model, path: Path, *, batch: int | None = None, external_data: bool | None = None) -> list[Path]:
    """Write ``<prefix>_deploy_model.onnx`` and ``<prefix>_fake_quant_model.onnx``; both appear, or neither.

    Args:
        model: A model with QuantizeLinear and DequantizeLinear; only its `meta` is changed: it gets what the user must
            know, under `WARNINGS_KEY`.
        path: ``<prefix>_deploy_model.onnx`` or ``<prefix>.onnx``.
        batch: Samples that go in at a time, where the model leaves that open.
        external_data: Weights in files beside the models.  None: only when they pass 2 GB.

    Returns:
        The files written, the deploy model first.

    Raises:
        InvalidModel: A scale is not positive and finite, or weights of 2 GB may not be external.
        InvalidOption: `batch` contradicts the model.
        UnsupportedModel: Ascend cannot say what the model says; the message names the node and why.
        OnnxpressError: The place cannot be written, or the disk is full.
    """
    from onnxpress import model_files
    from onnxpress.ascend import deploy_files
    from onnxpress.files import publish_all, staging
    from onnxpress_backends.ascend.deploying import deployed
    from onnxpress_backends.ascend.fake_quantization import fake_quantised

    prefix = path.name.removesuffix(_DEPLOY).removesuffix(".onnx")
    deploy = deployed(model, batch=batch)
    folder = path.absolute().parent
    with staging(folder) as staged:
        written = deploy_files.save(deploy, staged / f"{prefix}{_DEPLOY}", external_data=external_data)
        simulation = fake_quantised(deploy)
        written += model_files.save(simulation, staged / f"{prefix}{_FAKE_QUANT}", external_data=external_data)
        publish_all(reversed(written), folder)
    model.meta[WARNINGS_KEY] = deploy.meta[WARNINGS_KEY]
    return [path.parent / file.name for file in written]


ASCEND_ONNX = Backend(
    name="ascend-onnx",
    summary="Ascend int8: AMCT's deploy model for ATC, and its fake-quant model for any runtime",
    emit=emit,
    suffixes=(_DEPLOY,),
    check=fixed_sizes.check,
    extras=(_FAKE_QUANT, f"{_FAKE_QUANT}.data"),
)
