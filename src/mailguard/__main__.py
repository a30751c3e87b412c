"""`python -m mailguard` is the `mailguard` command."""

from mailguard.cli import main

main()
