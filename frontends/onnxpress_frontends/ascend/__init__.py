"""Ascend's files as they come from AMCT or from here, read back into QuantizeLinear and DequantizeLinear."""
