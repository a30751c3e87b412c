"""From the files that administrators edit to a Snapshot, or errors with their places."""
