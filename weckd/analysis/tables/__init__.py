"""What a run shows as text: one module a table, and how cells become CSV, Markdown and LaTeX."""
