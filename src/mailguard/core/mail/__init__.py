"""Mail as octets, spans and values: messages, header fields, addresses, transactions, replies."""
