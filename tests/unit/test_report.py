"""The page about a plan: one file, everything in it, small, and true to the plan's figures."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pyhpmp
from pyhpmp.report.measured import Measured
from pyhpmp.report.page import page
from pyhpmp.report.timeline import Events, bars


def made(strategy: str = "hypergraph", **wishes: Any) -> pyhpmp.Plan:
    graph = pyhpmp.load("zoo:lenet5")
    wishes = {"ranks": 2, "batch": 64, "shards": 4, "seconds": 0.2} | wishes
    return pyhpmp.plan(graph, strategy=strategy, compare=True, **wishes)


def charts(text: str) -> dict[str, Any]:
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    return {chart["name"]: chart for chart in json.loads(data[1])["charts"]}


class Elements(HTMLParser):
    """Which elements a page has, with their attributes; ends must match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "path", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_one_whole_file_that_asks_for_nothing(tmp_path: Path) -> None:
    made().report(tmp_path / "plan.html")
    text = (tmp_path / "plan.html").read_text(encoding="utf-8")
    elements = Elements(text)
    assert elements.open == []
    assert "default-src 'none'" in text
    assert not re.search(r"url\((?!#)|@import", text)
    for tag, attributes in elements.found:
        assert tag not in ("link", "img", "iframe", "base")
        assert not {"src", "href", "onclick", "onload"} & set(attributes)


def test_every_chart_has_a_name_its_keys_and_a_frame_that_the_keyboard_reaches() -> None:
    text = page(made())
    frames = [a for _, a in Elements(text).found if (a.get("id") or "").startswith("chart-")]
    assert {frame["id"] for frame in frames} == {f"chart-{name}" for name in charts(text)}
    for frame in frames:
        assert frame["tabindex"] == "0"
        assert frame["aria-label"]
    for chart in charts(text).values():
        kinds = {bar[3] for row in chart["rows"] for bar in row["bars"]}
        assert kinds <= set(range(len(chart["styles"])))
        assert len(set(chart["styles"])) == len(chart["styles"])
        for style in chart["styles"]:
            assert f".{style} " in text


@pytest.mark.parametrize("strategy", ["data", "layer", "filter", "owt", "hypergraph"])
def test_the_shares_of_a_layer_are_a_whole(strategy: str) -> None:
    rows = charts(page(made(strategy)))["layers"]["rows"]
    shares: dict[str, float] = {}
    for row in rows:
        for *_, tip in row["bars"]:
            name, share = re.fullmatch(r"(\S+) .*: ([\d.]+)% of it, .*", tip).groups()
            shares[name] = shares.get(name, 0.0) + float(share)
    assert shares
    assert all(total == pytest.approx(100, abs=0.2) for total in shares.values())


def test_the_longest_bar_of_memory_is_the_peak() -> None:
    plan = made("layer")
    rows = charts(page(plan))["memory"]["rows"]
    peak = [plan.core.rank(r).param_bytes + plan.core.program(r).live_bytes.max() for r in (0, 1)]
    top = max(plan.core.rank(r).param_bytes + plan.core.rank(r).arena_bytes for r in (0, 1))
    drawn = [max(bar[2] for bar in row["bars"]) for row in rows]
    assert drawn == pytest.approx([bytes_ / top for bytes_ in peak], abs=2e-3)


def test_a_plan_of_very_many_instructions_stays_a_small_page() -> None:
    plan = made("filter", batch=2048, shards=1024)
    assert sum(plan.core.rank(r).instructions for r in (0, 1)) > 30_000
    text = page(plan)
    assert len(text) < 3_000_000
    assert sum(len(row["bars"]) for row in charts(text)["schedule"]["rows"]) < 10_000


def test_names_from_the_model_are_text_never_markup() -> None:
    plan = made("data")
    named = replace(plan, graph=replace(plan.graph, name="<b>&</script>"))
    assert "<b>" not in page(named)
    Elements(page(named))


def test_a_single_rank_and_inference_have_a_page() -> None:
    for wishes in ({"ranks": 1, "shards": 1}, {"training": False}):
        text = page(made("auto", **wishes))
        assert len(charts(text)) == 4


def test_measured_times_stand_beside_the_prediction_with_its_error() -> None:
    plan = made("data")
    traces = []
    for rank in range(2):
        start, end = plan.core.times(rank)
        traces.append((np.arange(len(start), dtype=np.int32), start * 2, end * 2))
    text = page(plan, Measured([plan.core.step_seconds * 2] * 3, traces))
    assert text.count('"label":"measured"') == 2
    row = re.search(r"<tr><th scope=row>BWD</th>(.*?)</tr>", text)
    assert row is not None
    assert "50.0% too short" in row[1]


def events_of(count: int) -> Events:
    start = np.arange(count) * 1e-3
    return Events(start, start + 0.75e-3, np.arange(count) % 2, lambda i: f"event {i}")


def test_few_events_are_drawn_as_they_are() -> None:
    drawn = bars(events_of(5), 5e-3, 10)
    assert [(bar.start, bar.kind) for bar in drawn] == [(i * 1e-3, i % 2) for i in range(5)]
    assert all(bar.height == 1 for bar in drawn)


def test_many_events_are_summed_up_without_losing_time() -> None:
    drawn = bars(events_of(5000), 5.0, 100)
    assert 0 < len(drawn) <= 100
    busy = sum((bar.end - bar.start) * bar.height for bar in drawn)
    assert busy == pytest.approx(5000 * 0.75e-3, rel=1e-3)
