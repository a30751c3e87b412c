"""Our own word on what leaves: DKIM signatures and ARC seals."""
