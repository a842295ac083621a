"""The nine tests of a primary claim, each with the question that it answers: would another test say the same?"""
