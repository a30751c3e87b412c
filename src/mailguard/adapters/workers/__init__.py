"""Child processes for what may be killed: large messages, workbooks."""
