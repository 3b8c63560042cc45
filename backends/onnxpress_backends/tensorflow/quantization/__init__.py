"""QuantizeLinear and DequantizeLinear in TensorFlow: simulated, exact, or as weights in 8 bits."""
