"""One running mailguard: what is put together, started and stopped."""
