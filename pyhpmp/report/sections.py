"""The page's sections as HTML: everything that is text and tables."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from pyhpmp import _core
from pyhpmp.plans import Plan
from pyhpmp.report.chart import Chart
from pyhpmp.report.errors import kind_errors, step_error
from pyhpmp.report.measured import Measured
from pyhpmp.report.table import COLUMNS, cells, heading_of, remarks, verdict
from pyhpmp.report.units import duration, percent, size
from pyhpmp.report.why import reasons
from pyhpmp.strategies import Strategy


def escaped(text: object) -> str:
    return html.escape(str(text))


def heading(plan: Plan, measured: Measured | None) -> str:
    core = plan.core
    memory = [core.rank(r).arena_bytes + core.rank(r).param_bytes for r in range(plan.ranks)]
    figures = [
        ("strategy", plan.comparison.chosen),
        ("step, predicted", duration(core.step_seconds)),
        *_measured_figures(plan, measured),
        ("sent in a step", size(plan.volume_bytes)),
        ("imbalance", percent(core.imbalance)),
        ("ranks idle", percent(core.bubble_fraction)),
        ("memory of a rank, at most", size(max(memory))),
    ]
    shown = "".join(f"<div><dt>{escaped(k)}</dt><dd>{escaped(v)}</dd></div>" for k, v in figures)
    return f'<h1>{escaped(heading_of(plan))}</h1>\n<dl class="figures">{shown}</dl>'


def _measured_figures(plan: Plan, measured: Measured | None) -> list[tuple[str, str]]:
    if measured is None or measured.median is None:
        return []
    return [
        (f"step, measured (median of {len(measured.step_seconds)})", duration(measured.median)),
        ("prediction", _off(step_error(plan, measured))),
    ]


def _off(error: float | None) -> str:
    if error is None:
        return "-"
    return f"{percent(abs(error))} too {'long' if error >= 0 else 'short'}"


def strategies(plan: Plan) -> str:
    rows = [_strategy_row(row, plan.comparison.chosen) for row in plan.comparison.strategies]
    said = [*reasons(plan.comparison, plan.request), *remarks(plan)]
    why = "".join(f"<p>{escaped(_sentence(line))}</p>" for line in said)
    head = _cells("th", ("strategy", *COLUMNS, ""), "scope=col")
    return _section(
        "Strategies",
        why
        + _table("Predicted for one step; memory is that of the rank that needs most.", head, rows),
    )


def _sentence(line: str) -> str:
    return f"{line[0].upper()}{line[1:].removesuffix('.')}."


def _strategy_row(row: Strategy, chosen: str) -> str:
    is_chosen = row.name == chosen
    remark = "chosen" if is_chosen else ": ".join(filter(None, (verdict(row), row.refusal)))
    return (
        f"<tr{' class=chosen' if is_chosen else ''}>{_cells('th', [row.name], 'scope=row')}"
        f"{_cells('td', cells(row))}<td class=text>{escaped(remark)}</td></tr>"
    )


def chart(drawn: Chart) -> str:
    """Its frame and legend; the script draws the rows."""
    legend = "".join(
        f'<li><svg aria-hidden="true"><rect width="100%" height="100%" class="{style}"/></svg>'
        f"{escaped(text)}</li>"
        for style, text in drawn.legend
    )
    hint = "Point at a bar, or use Tab and the arrow keys, to read it."
    return _section(
        drawn.title,
        f'<p class="note" id="note-{drawn.name}">{escaped(drawn.note)} '
        f'<span class="hint">{hint}</span></p><ul class="legend">{legend}</ul>'
        f'<div class="chart" id="chart-{drawn.name}" tabindex="0" role="group" '
        f'aria-label="{escaped(drawn.title)}" aria-describedby="note-{drawn.name}"></div>',
    )


def errors(plan: Plan, measured: Measured) -> str:
    """The prediction beside the measurement, by kind of instruction."""
    head = ("instruction", "count", "predicted", "measured", "prediction")
    rows = []
    for kind in kind_errors(plan, measured):
        off = _off(kind.predicted / kind.measured - 1) if kind.measured and kind.predicted else "-"
        figures = (f"{kind.count:,}", duration(kind.predicted), duration(kind.measured), off)
        rows.append(f"<tr>{_cells('th', [kind.name], 'scope=row')}{_cells('td', figures)}</tr>")
    return _section(
        "Prediction and measurement",
        _table(
            "The last step, summed over ranks; RECV, REDUCE and WAIT are measured with the time "
            "that they wait.",
            _cells("th", head, "scope=col"),
            rows,
        ),
    )


def request(plan: Plan) -> str:
    asked = plan.request
    facts = [
        ("model", plan.graph.name),
        ("parameters", f"{plan.graph.parameter_count:,}"),
        ("ranks", plan.ranks),
        ("global batch", plan.batch),
        ("passes", "forward and backward" if plan.core.training else "forward"),
        ("sample shards", plan.core.shards),
        ("channels of a cell", f"{plan.core.channel_block}, dense {plan.core.dense_block}"),
        ("samples that share batch statistics", _statistics(plan)),
        ("strategy asked for", asked.strategy),
        ("objective", asked.objective),
        ("imbalance allowed", percent(asked.epsilon)),
        ("memory limit", size(asked.memory_bytes) if asked.memory_bytes else "none"),
        ("activations computed again", asked.recompute),
        ("partitioner", asked.partitioner),
        ("seed", asked.seed),
        ("planned in", duration(plan.seconds)),
        *_machine(plan),
    ]
    rows = "".join(f"<div><dt>{escaped(k)}</dt><dd>{escaped(v)}</dd></div>" for k, v in facts)
    return _section("What was asked", f'<dl class="facts">{rows}</dl>')


def _statistics(plan: Plan) -> str:
    return f"{plan.core.bn_group}" + (", which shards may cut" if plan.core.bn_sync else "")


def _machine(plan: Plan) -> Iterable[tuple[str, str]]:
    figures = _core.default_speeds() | plan.request.machine
    for name, value in figures.items():
        if isinstance(value, int | float):
            yield f"machine: {name.replace('_', ' ').removesuffix(' seconds')}", _rate(name, value)
    speeds = figures.get("rank_speed")
    if speeds:
        yield "machine: speeds of the ranks", ", ".join(f"{speed:.3g}" for speed in speeds)


def _rate(name: str, value: float) -> str:
    """With the unit that the field's name ends with."""
    if name.endswith("bytes_per_second"):
        return f"{size(value)}/s"
    if name.endswith("flops_per_second"):
        return f"{value / 1e9:.4g} GFLOP/s"
    return f"{value * 1e6:.4g} us" if name.endswith("seconds") else f"{value:.4g}"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escaped(title)}</h2>{content}</section>"


def _table(caption: str, head: str, rows: list[str]) -> str:
    return (
        f'<div class="wide"><table><caption>{escaped(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cells(tag: str, texts: Sequence[object], attributes: str = "") -> str:
    opening = f"<{tag} {attributes}>" if attributes else f"<{tag}>"
    return "".join(f"{opening}{escaped(text)}</{tag}>" for text in texts)
