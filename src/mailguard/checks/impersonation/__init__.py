"""Nobody outside passes for somebody of the district (R1)."""
