"""What waits for people: tickets, engine, inbox, a folder a workflow; what a command does."""
