"""The district's mail server, spoken to by SMTP."""
