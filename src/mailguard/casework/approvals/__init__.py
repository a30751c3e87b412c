"""Approvals of mail that is held (R18, R20, R21, R25)."""
