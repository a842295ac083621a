"""A frozen reference of a run, and whether another run of the same suite agrees with it."""
