"""How much there is to compute, and how long that takes."""
