"""The example district on loopback: an embedded next hop, embedded DNS and sample messages."""
