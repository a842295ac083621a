"""Training: from split files and method declarations to stored fits, and from those to predictions."""
