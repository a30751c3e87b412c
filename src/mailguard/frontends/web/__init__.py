"""The pages: health, metrics, the copy page, and the pages behind questions."""
