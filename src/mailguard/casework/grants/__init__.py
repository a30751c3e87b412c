"""Approvals given beforehand (R18)."""
