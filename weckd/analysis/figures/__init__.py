"""What a run shows as pictures: one module a figure."""
