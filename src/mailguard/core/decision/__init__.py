"""From facts to findings, one disposition a recipient, and a plan."""
