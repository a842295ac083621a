"""What a machine must have before hours are spent on it; each check says what was found and what to do."""
