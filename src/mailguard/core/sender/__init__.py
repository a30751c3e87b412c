"""Whose message it is: what is proven, what is only claimed, and who may be answered."""
