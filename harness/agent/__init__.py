"""Boardmark."""
