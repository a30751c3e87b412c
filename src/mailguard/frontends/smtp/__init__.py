"""The SMTP frontend: a session becomes a Transaction, an Answer becomes a reply."""
