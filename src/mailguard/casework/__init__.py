"""What waits for people: tickets, the inbox that moves them, and one folder a workflow."""
