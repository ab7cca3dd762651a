"""Does it fit: this host limited to a board's memory and cores, one or several models at once.

place     where in the control groups of this host a limited group can be made
groups    one limited group: made, read, removed
verdict   pass, out of memory, thrashing or failed: from what was seen of a trial
search    which limit to try next
trial     processes of one or several models in one group, at the same time
session   all trials of a board and its models, each kept as a run

Capacity only: a limit says nothing about speed, bandwidth or instructions of the board.
"""
