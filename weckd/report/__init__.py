"""One self-contained HTML page of a finished run, made from the run's files alone."""
