"""Orders: written ahead, sent, recorded, and driven to their end."""

from __future__ import annotations

from hedged.act.reconcile import Reconciler
from hedged.act.submit import submit_all

__all__ = ["Reconciler", "submit_all"]
