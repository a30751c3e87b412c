"""The ways in: SMTP sessions and HTTP pages. They know no check."""
