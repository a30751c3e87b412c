"""Effects at the edges: files, database, DNS, the next hop. Each fulfils a port."""
