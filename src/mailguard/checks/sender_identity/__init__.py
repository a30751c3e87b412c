"""Nobody misrepresents, masks or replaces a user's identity (R1 to R4, R6)."""
