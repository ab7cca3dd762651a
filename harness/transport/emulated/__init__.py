"""A board that is not here: its processor by QEMU user mode, its system by a root of its own.

    recipe      what a root is made of: Debian packages and the wheels of the runtimes in use here
    root        builds it once, without the right to install or mount anything
    tree        the /proc and /sys that the board shows, written from its profile
    enclosure   the command that starts a program in there, as the board's processor
    transport   the way to the agent in there, like to any board's
    timeless    what is left of an answer when everything that an emulator falsifies is taken out
    agreement   whether the same artifact and runtime answer the same natively here

It tells whether a runtime starts, what it answers and what memory it takes: never how fast.
"""
