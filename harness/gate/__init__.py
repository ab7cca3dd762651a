"""Two sides measured in the same blocks to one judgement: policy, decision per metric, calibration.

policy       what is held against what: margins, absolute budgets, which verdicts block
judge        a session's runs become one verdict per metric and one outcome
calibration  A/A sessions of the same device and design become the threshold of a false alarm
"""
