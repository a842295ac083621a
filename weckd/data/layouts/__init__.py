"""How data sets lie in their sources: one module a layout, each from files to images and their records."""
