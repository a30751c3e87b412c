"""A message carries the disclaimer and the signature that policy asks of its author (R9-R13)."""
