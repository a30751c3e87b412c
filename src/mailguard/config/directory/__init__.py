"""The district's directory out of its files: people, accounts, groups, occasions."""
