"""Links are never clicked directly, they are copied and pasted (R39, S0 §U)."""
