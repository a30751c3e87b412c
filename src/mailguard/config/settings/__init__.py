"""`mailguard.yaml`: its sections, and the rules between them."""
