"""Loops, what they carry, and the cells of recurrent operators."""
