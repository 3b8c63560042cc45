"""Configurations as AMCT's documentation has them, and models they are for."""

from __future__ import annotations

from typing import Any

import onnx_ir as ir

from calibrated import graph, numbers

IFMR_LAYER: dict[str, Any] = {
    "quant_enable": True,
    "activation_quant_params": {
        "num_bits": 8,
        "max_percentile": 0.999999,
        "min_percentile": 0.999999,
        "search_range": [0.7, 1.3],
        "search_step": 0.01,
        "act_algo": "ifmr",
        "asymmetric": True,
    },
    "weight_quant_params": {"num_bits": 8, "wts_algo": "arq_quantize", "channel_wise": True},
}
"""A layer of the example for ``create_quant_config`` (``docs/zh/api/create_quant_config.md`` of ``hicann/amct``)."""

HFMG_LAYER: dict[str, Any] = {
    **IFMR_LAYER,
    "activation_quant_params": {"num_bits": 8, "act_algo": "hfmg", "num_of_bins": 4096, "asymmetric": False},
}

SIMPLIFIED = """
# global quantize parameter
batch_num : 2
activation_offset : true
skip_layers : "conv3"
skip_layer_types:"AvgPool2d"
do_fusion: true
skip_fusion_layers : "conv2"
common_config : {
    arq_quantize : {
        channel_wise : true
    }
    ifmr_quantize : {
        search_range_start : 0.7
        search_range_end : 1.3
        search_step : 0.01
        max_percentile : 0.999999
        min_percentile : 0.999999
        asymmetric : true
    }
}
override_layer_types : {
    layer_type : "Linear"
    calibration_config : {
        arq_quantize : {
            channel_wise : false
        }
        ifmr_quantize : {
            search_range_start : 0.8
            search_range_end : 1.2
            search_step : 0.02
            max_percentile : 0.999999
            min_percentile : 0.999999
            asymmetric : false
        }
    }
}
override_layer_configs : {
    layer_name : "conv2"
    calibration_config : {
        arq_quantize : {
            channel_wise : false
        }
        hfmg_quantize : {
            num_of_bins : 2048
        }
    }
}
"""
"""The example of ``docs/zh/context/ptq_config.md`` of ``hicann/amct``, without what is refused."""


def network(batch: str = "N") -> ir.Model:
    """Layers ``conv1`` to ``conv3`` with batch normalisation behind the second, ``pool`` and ``fc``."""
    made = graph(
        """
        c = Conv<pads = [1, 1, 1, 1]>(x, w) r = Relu(c)
        d = Conv<pads = [1, 1, 1, 1]>(r, v) n = BatchNormalization(d, g, b, b, g) s = Relu(n)
        e = Conv(s, u) p = AveragePool<kernel_shape = [2, 2]>(e) f = Flatten(p) y = Gemm(f, m)
        """,
        x=f"float[{batch},32,6,6] x",
        y=f"float[{batch},8] y",
        w=numbers(32, 32, 3, 3) / 20,
        v=numbers(32, 32, 3, 3, seed=1) / 20,
        u=numbers(32, 32, 3, 3, seed=2) / 20,
        m=numbers(288, 8, seed=3) / 20,
        g=abs(numbers(32, seed=4)) + 1,
        b=numbers(32, seed=5),
    )
    called = {"c": "conv1", "d": "conv2", "e": "conv3", "p": "pool", "y": "fc"}
    for node in made.graph:
        node.name = called.get(node.name or "", node.name)
    return made
