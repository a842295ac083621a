"""How much of an accuracy, and of a gain, is memory of copies that official test parts share with training."""
