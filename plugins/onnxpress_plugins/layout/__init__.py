"""The order of the axes of every tensor in a graph, chosen so that the least is transposed."""
