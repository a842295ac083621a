"""Tests of paired scores, in which both seeds and test cases are random."""
