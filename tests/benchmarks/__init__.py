"""Measurements over real prices: each module is a command and prints its tables."""
