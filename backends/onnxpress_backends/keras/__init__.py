"""Keras 3 models out of ONNX: the lowered TensorFlow graph, node by node, as the layers and operations of Keras."""
