"""The pure floor: mail as bytes and spans, facts, policy, decisions, edits, plans.

Nothing here reads a clock, a file, a socket or a random source, and nothing here
imports another part of mailguard.
"""
