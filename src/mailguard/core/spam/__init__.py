"""The built-in scorer: signs of spam, what they weigh, and the learned opinion (R26)."""
