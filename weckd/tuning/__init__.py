"""The search for each method's settings: the study of one method, and what it chose."""
