"""Decide what runs: suite x model x backend x scenario becomes ordered cases, or skips.

choice    what the user asked for, on top of the suite
points    the product, before anything is known about runtimes and artifacts
cases     points that can run, as cases; the others as skips
order     blocks: one run per case, in rotated random order
sampling  how long one run samples, given a budget
doctor    what a machine can measure, and what would fix the rest
"""
