"""Boardmark's engine: what plans, drives and judges measurements (desk) and the agent (board)."""
