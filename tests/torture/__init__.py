"""Faults put into real processes and real files: what was acknowledged stays, each run once.

PYTHONPATH=tests python -m torture [--reduced] [CAMPAIGN...]
"""
