"""Keep a store whole and small: merge, compact, prune, remove, verify and reindex.

Each may be killed at any moment and done again: what takes the place of something is on the disk
before that goes.
"""
