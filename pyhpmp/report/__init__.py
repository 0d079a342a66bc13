"""Plans and runs explained: tables for a terminal, one page for a browser."""

from pyhpmp.report.table import plan_text, plan_view
from pyhpmp.report.units import counted, duration, percent, size

__all__ = ["counted", "duration", "percent", "plan_text", "plan_view", "size"]
