"""The database: its engine and tables, and a store a subject."""
