"""Two sides measured in the same blocks to one judgement: policy, decision per metric, calibration.

policy        what is held against what: margins, absolute budgets, which verdicts block
judge         a session's runs become one verdict per metric and one outcome
calibration   A/A sessions of the same device and design become the threshold of a false alarm
incomparable  which conditions two sides do not share
metrics       what can be judged; blocks: which runs count; verdict: what is answered
margins       candidate against base; clock: is it the clock; budgets: against absolute limits
presence      runs that failed or are missing; fallback: a candidate that ran on less
"""
