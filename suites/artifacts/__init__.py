"""Variants as files, named by what they are made of: what `suites.build` does, behind its back.

plan        which pieces of work are missing
cache       where finished ones lie, and the keys they lie under
site        stages and workers: the model first, then its toolchains, two at a time
process     one worker process, started, read, timed out, ended
worker      what runs in it: `python -m suites.artifacts.worker`
inspection  what a user's model file declares, looked at in a worker too
"""
