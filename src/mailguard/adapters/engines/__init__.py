"""The scanning engines, one file each, and the panel that asks all of them at once.

What an engine says is hostile until it is parsed: every answer has a deadline, a size and a form.
"""
