"""The built-in passes, observers, targets and reports."""

from __future__ import annotations

from collections.abc import Iterable

from onnxpress import hookimpl
from onnxpress.kinds import Observer, Pass, Report, Target


@hookimpl
def onnxpress_passes() -> Iterable[Pass]:
    """Every pass of this package."""
    from onnxpress_plugins.cleaning.clean_up import CLEAN_UP
    from onnxpress_plugins.decomposition.decomposing import DECOMPOSE
    from onnxpress_plugins.decomposition.replaying import REPLAY_DECOMPOSITION
    from onnxpress_plugins.folding.bn_folding import FOLD_BATCH_NORM
    from onnxpress_plugins.folding.pad_folding import FOLD_PADDING
    from onnxpress_plugins.fusion.gelu_fusion import FUSE_GELU
    from onnxpress_plugins.fusion.layer_norm_fusion import FUSE_LAYER_NORM
    from onnxpress_plugins.grouping.group_merging import MERGE_GROUP_CONV
    from onnxpress_plugins.layout.transpose_cancelling import CANCEL_TRANSPOSES
    from onnxpress_plugins.quantization.amct_config_writing import WRITE_AMCT_CONFIG
    from onnxpress_plugins.quantization.bias_correction import CORRECT_BIASES
    from onnxpress_plugins.quantization.calibration import CALIBRATE
    from onnxpress_plugins.quantization.qdq_insertion import INSERT_QDQ
    from onnxpress_plugins.quantization.record_application import APPLY_RECORD

    yield APPLY_RECORD
    yield CALIBRATE
    yield CANCEL_TRANSPOSES
    yield CLEAN_UP
    yield CORRECT_BIASES
    yield DECOMPOSE
    yield FOLD_BATCH_NORM
    yield FOLD_PADDING
    yield FUSE_GELU
    yield FUSE_LAYER_NORM
    yield INSERT_QDQ
    yield MERGE_GROUP_CONV
    yield REPLAY_DECOMPOSITION
    yield WRITE_AMCT_CONFIG


@hookimpl
def onnxpress_observers() -> Iterable[Observer]:
    """Every observer of this package."""
    from onnxpress_plugins.quantization.observers.entropy import ENTROPY
    from onnxpress_plugins.quantization.observers.hfmg import HFMG
    from onnxpress_plugins.quantization.observers.ifmr import IFMR
    from onnxpress_plugins.quantization.observers.minmax import MIN_MAX
    from onnxpress_plugins.quantization.observers.mse import MSE
    from onnxpress_plugins.quantization.observers.percentile import PERCENTILE

    yield ENTROPY
    yield HFMG
    yield IFMR
    yield MIN_MAX
    yield MSE
    yield PERCENTILE


@hookimpl
def onnxpress_targets() -> Iterable[Target]:
    """Every target of this package."""
    from onnxpress_plugins.quantization.ascend import ASCEND, ASCEND_NARROW, ASCEND_SYMMETRIC
    from onnxpress_plugins.quantization.onnxruntime_cpu import ONNXRUNTIME_CPU
    from onnxpress_plugins.quantization.tflite import TFLITE

    yield from (ASCEND, ASCEND_NARROW, ASCEND_SYMMETRIC, ONNXRUNTIME_CPU, TFLITE)


@hookimpl
def onnxpress_reports() -> Iterable[Report]:
    """Every report of this package."""
    from onnxpress_plugins.reports.json_report import JSON
    from onnxpress_plugins.reports.text_report import TEXT

    yield JSON
    yield TEXT
