"""What became of the layers and arguments of Keras 2 in Keras 3, as tables.

Source: ``get_config`` of the layers of Keras 2.2 to 2.15 against the signatures of Keras 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Harmless = tuple[Any, ...]
"""Values of an argument that mean nothing to Keras 3."""

ANY: Harmless = ()
"""Whatever the value, it does not change what the layer computes at inference."""

MODULES = {
    "Functional": "keras.src.models.functional",
    "Sequential": "keras",
    "LayerScale": "keras.src.applications.convnext",
}
"""The module that Keras 3 writes for its models, and for a layer of its own that is not among `keras.layers`."""

OPERATIONS = ("TFOpLambda", "SlicingOpLambda")
"""Classes of layers that name a function of TensorFlow."""

RECURRENT = ("SimpleRNN", "LSTM", "GRU", "RNN", "Bidirectional", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D")

TRAINING_KEYS = ("_initializer", "_regularizer", "_constraint")
"""Ends of the keys that matter to training alone; they may name code of the user's own."""

REMOVED = (
    "ClassMethod",
    "CuDNNGRU",
    "CuDNNLSTM",
    "DenseFeatures",
    "InstanceMethod",
    "InstanceProperty",
    "LocallyConnected1D",
    "LocallyConnected2D",
    "SequenceFeatures",
    "TensorFlowOpLayer",
)
"""Layers of Keras 2 for which Keras 3 has no other."""

RENAMED_CLASSES = {
    "Model": "Functional",
    "AddLoss": "Identity",
    "AddMetric": "Identity",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
    "ThresholdedReLU": "ReLU",
    "RandomHeight": "Identity",
    "RandomWidth": "Identity",
    "RandomCrop": "Resizing",
}
"""At inference RandomCrop resizes, and cuts off what surpasses the aspect ratio."""

RENAMED_KEYS = {
    "InputLayer": {"batch_input_shape": "batch_shape"},
    "LeakyReLU": {"alpha": "negative_slope"},
    "ThresholdedReLU": {"theta": "threshold"},
}

DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "GRU": {"reset_after": False},
    "GRUCell": {"reset_after": False},
    "RandomCrop": {"crop_to_aspect_ratio": True},
}
"""What a missing key meant to Keras 2, where Keras 3 means something else."""

_UNGROUPED: dict[str, Harmless] = {"groups": (1,)}
_NORMALIZED: dict[str, Harmless] = {
    "fused": ANY,
    "renorm": ANY,
    "renorm_clipping": ANY,
    "renorm_momentum": ANY,
    "virtual_batch_size": (None,),
    "adjustment": (None,),
}
_SPATIAL: dict[str, Harmless] = {"trainable": ANY, "noise_shape": (None,)}
_RANDOM_SIZE: dict[str, Harmless] = {"factor": ANY, "interpolation": ANY, "seed": ANY}
_STEPPED: dict[str, Harmless] = {"time_major": (False,), "input_dim": ANY, "input_length": ANY}

DROPPED: dict[str, dict[str, Harmless]] = {
    **dict.fromkeys(RECURRENT, _STEPPED),
    "InputLayer": {"sparse": (False, None), "ragged": (False, None)},
    "DepthwiseConv1D": _UNGROUPED,
    "DepthwiseConv2D": _UNGROUPED,
    "SeparableConv1D": _UNGROUPED,
    "SeparableConv2D": _UNGROUPED,
    "Conv1DTranspose": _UNGROUPED,
    "Conv2DTranspose": _UNGROUPED,
    "Conv3DTranspose": _UNGROUPED,
    "BatchNormalization": _NORMALIZED,
    "BatchNormalizationV1": _NORMALIZED,
    "BatchNormalizationV2": _NORMALIZED,
    "SyncBatchNormalization": _NORMALIZED,
    "MultiHeadAttention": {"query_shape": ANY, "key_shape": ANY, "value_shape": ANY},
    "Attention": {"causal": (False,)},
    "AdditiveAttention": {"causal": (False,)},
    "Embedding": {"input_length": ANY},
    "Dense": {"input_dim": ANY},
    "Discretization": {"trainable": ANY},
    "SpatialDropout1D": _SPATIAL,
    "SpatialDropout2D": _SPATIAL,
    "SpatialDropout3D": _SPATIAL,
    "AddLoss": {"unconditional": ANY},
    "AddMetric": {"aggregation": ANY, "metric_name": ANY},
    "RandomHeight": _RANDOM_SIZE,
    "RandomWidth": _RANDOM_SIZE,
    "RandomCrop": {"seed": ANY},
    "Lambda": {"module": ANY, "function_type": ANY, "output_shape_type": ANY, "output_shape_module": ANY},
}
"""Keys that Keras 3 does not know, and the values with which they may be left out.

Batch renormalisation is a matter of training: at inference the moving statistics are used all the same.
"""
