"""The losses, one module a family, as functions of logits, labels and feature maps."""
