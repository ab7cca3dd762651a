"""The board's side: a supervisor and the child it measures. Standard library, Python 3.6 syntax.

entry       what `python agent.pyz` runs: supervisor, or child with a private descriptor
arrive      the first program on a board that is reached over a network: takes the agent in
arrival     what such an agent does before it serves: hold the board, open the cache
hold        one session at a time on a board
depot       files of a session in the board's cache
desk        the agent's end of the talk with the desk
supervisor  requests on stdin, events on stdout, one measured child per run
launch      start, watch, time out and bury one child; say how it ended
child       the phases of one run
sampling    the timed loop and its stopping rule
steady      where the warm-up ends
precision   how well one run's samples place their median
inputs      seeded inputs, a rotating set of fresh buffers
memory      the high-water marks of /proc/self/status
content     digests of files
outputs     the evaluation pass behind the quality figures
identify    what board this is
probes/     power, temperature and host counters
"""
