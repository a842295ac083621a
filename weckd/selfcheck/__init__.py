"""Checks of the suite's own statistics that anyone can run: `weckd selfcheck`."""
