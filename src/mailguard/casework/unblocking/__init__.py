"""Requests to unblock a sender (R28-R38)."""
