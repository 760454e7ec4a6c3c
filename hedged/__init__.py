"""hedged: a daemon that watches a crypto portfolio and keeps it hedged."""

__version__ = "0.1.0"
