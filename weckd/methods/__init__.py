"""What is compared: methods as declarations of fits, and the formulas of their losses."""
