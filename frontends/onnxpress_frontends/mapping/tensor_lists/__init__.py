"""TensorLists, which TensorArrays are made of: collected in order as tf2onnx expects, made tensors, or refused.

tf2onnx takes the elements that a loop sets in a list to be collected in the order of the steps, whatever their indices
are, and so converts, say, a loop that fills a TensorArray from its end, into one that gives other numbers.
"""
