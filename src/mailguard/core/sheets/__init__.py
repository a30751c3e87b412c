"""Workbooks that schools hand in, and the addresses of parents in them (R38)."""
