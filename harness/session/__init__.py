"""Drive a plan through transports, journal every run, score outputs.

boards    the agents of one device, one per interpreter; probes runtimes through them
requests  a case becomes the agent's request
scoring   a run's outputs become its quality
driver    the blocks, run by run, each journalled before the next one starts
"""
