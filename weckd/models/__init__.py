"""Trained networks taken out of a run: exported, used on new images, and judged on labelled ones."""
