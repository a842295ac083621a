"""What fits minimise, one module a family: formulas, and the networks that they are of."""
