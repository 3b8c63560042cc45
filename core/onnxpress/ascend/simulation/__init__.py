"""What the integers of a deploy model give, on a CPU and to the bit: standard ONNX for each rule of arithmetic."""
