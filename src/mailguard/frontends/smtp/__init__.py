"""The SMTP frontend: a session becomes a Transaction, a Reply becomes octets."""
