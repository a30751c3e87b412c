"""Hostile messages by the thousand, the same every time: `generate` gives them."""
