"""Windows, borders and points: formulas over sizes that are known or computed."""
