"""Keras models, from files of Keras 3 and Keras 2 or from memory."""
