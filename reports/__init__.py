"""What a session says, drawn: one HTML page, or text for a terminal. Reads only `results`.

session    what a report is made of
html       render(view, out): the page
text       table(view): answer and figures for a terminal
answer     which level is best under which criterion, or that the data cannot tell
relations  our figure in a documented figure's terms, with its interval
tables     the headline tables; cases: one row per case; memory: its phases; scores: quality
evidence   what really ran
findings   the documented claims, checked; identity: the machine and the session
grid       what a table is before it is drawn; figures: numbers and text for people
charts     latencies; tradeoff: what quality costs; axes, svg: how both are drawn
"""
