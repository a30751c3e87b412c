"""What people are told: texts with named slots, and the mails that carry them."""
