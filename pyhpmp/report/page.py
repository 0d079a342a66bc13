"""One self-contained HTML page about a plan and, after a run, what was measured."""

from __future__ import annotations

import json
from importlib import resources

from pyhpmp.plans import Plan
from pyhpmp.report import sections
from pyhpmp.report.layers import layer_map
from pyhpmp.report.measured import Measured
from pyhpmp.report.memory import memory_chart
from pyhpmp.report.schedule import schedule_chart
from pyhpmp.report.sections import escaped
from pyhpmp.report.table import heading_of
from pyhpmp.report.volume import volume_chart


def page(plan: Plan, measured: Measured | None = None) -> str:
    """The page's text; it asks for nothing from the network."""
    volume, layers = volume_chart(plan), layer_map(plan)
    schedule, memory = schedule_chart(plan, measured), memory_chart(plan)
    body = [
        sections.heading(plan, measured),
        sections.strategies(plan),
        sections.chart(volume),
        sections.chart(layers),
        sections.chart(schedule),
        sections.errors(plan, measured) if measured else "",
        sections.chart(memory),
        sections.request(plan),
    ]
    charts = [chart.payload() for chart in (volume, layers, schedule, memory)]
    data = json.dumps({"charts": charts}, ensure_ascii=False, separators=(",", ":"))
    parts = {
        "title": escaped(heading_of(plan)),
        "css": _file("page.css"),
        "js": _file("page.js"),
        "data": data.replace("<", "\\u003c"),  # nothing in it may end the script element
        "body": "\n".join(body),
    }
    text = _file("page.html")
    pieces = text.split("@")
    return "".join(parts[piece] if i % 2 else piece for i, piece in enumerate(pieces))


def _file(name: str) -> str:
    return resources.files("pyhpmp.report").joinpath(name).read_text(encoding="utf-8")
