"""`python -m mailguard.reference` writes docs/reference, or says what is stale there."""

import sys

from mailguard.reference.pages import main

raise SystemExit(main(sys.argv[1:]))
