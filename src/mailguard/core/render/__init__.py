"""From a message and its edits to the octets that leave, with our trace fields on top."""
