"""Raw messages and their envelopes as files, written once and durably (R51)."""
