"""mailguard: an SMTP proxy that carries out a school district's written e-mail policy."""

__version__ = "0.1.0"
