"""The district: people, groups, offices and rights, names and their lookalikes, its calendar."""
