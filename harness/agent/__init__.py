"""The board's side: a supervisor and the child it measures. Standard library, Python 3.6 syntax.

entry       what `python agent.pyz` runs: supervisor, or child with a private descriptor
supervisor  requests on stdin, events on stdout, one measured child per run
launch      start, watch, time out and bury one child; say how it ended
child       the phases of one run
sampling    the timed loop and its stopping rule
steady      where the warm-up ends
precision   how well one run's samples place their median
inputs      seeded inputs, a rotating set of fresh buffers
memory      the high-water marks of /proc/self/status
outputs     the evaluation pass behind the quality figures
identify    what board this is
probes/     power, temperature and host counters
"""
