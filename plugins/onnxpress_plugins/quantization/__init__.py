"""From calibration to QuantizeLinear and DequantizeLinear."""
