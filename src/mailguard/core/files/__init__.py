"""The files that come with a message, told by their octets and looked into within budgets (R40)."""
