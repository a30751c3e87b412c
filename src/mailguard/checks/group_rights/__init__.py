"""Who may write to a distribution group (R14-R20, R22-R24)."""
