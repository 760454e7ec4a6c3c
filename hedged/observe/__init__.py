"""Reading the world: every leg of every account at once, and what is believed of what was read."""

from __future__ import annotations

from hedged.observe.observer import Observer

__all__ = ["Observer"]
