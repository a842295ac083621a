"""Statistics, tables and figures from saved predictions; reads files only."""
