"""The story of a message, told over ports: accept, gather, outbox, release.

Must not know SMTP sessions, databases or files; it speaks to `ports`.
"""
