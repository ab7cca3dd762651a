"""The same model measured by this project and by the tools people use now, side by side.

`make peers` runs it. Every peer is one file with the same two functions: `command(bench, word)`
says what to start, `read(folder, word)` reads what it left; registry.py lists them all.
"""
