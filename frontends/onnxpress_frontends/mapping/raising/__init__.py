"""Control flow of TensorFlow 1 becomes that of TensorFlow 2 again: loops and branches that call functions.

TensorFlow's freezer takes loops and branches apart by default, into Enter, Merge, Switch, NextIteration and Exit.
"""
