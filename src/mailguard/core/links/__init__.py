"""Addresses of the web: the host they open, its public suffix, and sealed links (R39)."""
