"""Convolutions of parts of a tensor, joined into one grouped convolution."""
