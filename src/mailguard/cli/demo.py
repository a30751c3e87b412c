"""`mailguard demo` is being written."""


def demo() -> None:
    """The example district on loopback."""
