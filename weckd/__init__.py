"""Reproducibility suite for WeCKD (arXiv 2510.14668). Importing it imports no torch."""

__version__ = "0.1.0"
