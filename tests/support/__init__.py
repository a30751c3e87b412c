"""What tests of more than one folder share: real peers, a running serve, builders, waiting, cost.

A test imports from here or from a module of its own folder that is no test; never from a test.
"""
