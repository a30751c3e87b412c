"""What a reader sees in a message: its texts, links, quotes, and the author's new words."""
