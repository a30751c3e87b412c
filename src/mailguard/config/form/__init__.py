"""Files as administrators write them: YAML and CSV with places, values, errors."""
