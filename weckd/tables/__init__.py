"""The printing kit: cells, captions, and tables as files. It knows suites, and no analysis."""
