"""The small parts of the package that decide something on their own."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from pyhpmp.commands.schedule import Schedule
from pyhpmp.errors import InvalidArgumentError
from pyhpmp.files import replacing, write_text
from pyhpmp.network import parse_network
from pyhpmp.report import duration, percent, size
from pyhpmp.strategies import Comparison, Strategy, crossover_batch


@pytest.mark.parametrize(
    ("text", "rate", "delay"),
    [
        ("1Gbit/50us", 1.25e8, 50e-6),
        ("10Gbit", 1.25e9, None),
        ("100Mbit/s/1ms", 1.25e7, 1e-3),
        ("2.5Gbit/0.5us", 3.125e8, 5e-7),
    ],
)
def test_a_link_is_read(text: str, rate: float, delay: float | None) -> None:
    machine = parse_network(text)
    assert machine["link_bytes_per_second"] == pytest.approx(rate)
    assert machine.get("link_latency_seconds") == (None if delay is None else pytest.approx(delay))


@pytest.mark.parametrize("text", ["", "fast", "0Gbit", "1Gbit/0us", "1Gbyte/50us", "missing.json"])
def test_a_link_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError):
        parse_network(text)


def test_rates_rise_to_the_highest_in_the_warm_up() -> None:
    schedule = Schedule("constant", 0.4, 10, 4)
    assert [schedule.rate(step) for step in range(6)] == pytest.approx(
        [0.1, 0.2, 0.3, 0.4, 0.4, 0.4]
    )


def test_a_cosine_falls_from_the_highest_rate_towards_zero() -> None:
    rates = [Schedule("cosine", 1.0, 100).rate(step) for step in range(100)]
    assert rates[0] == 1.0
    assert rates[50] == pytest.approx(0.5)
    assert rates == sorted(rates, reverse=True)
    assert rates[-1] == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.99)))


def test_steps_divide_the_rate_by_ten_at_half_and_three_quarters() -> None:
    schedule = Schedule("step", 1.0, 8)
    assert [schedule.rate(step) for step in (0, 3, 4, 5, 6, 7)] == pytest.approx(
        [1, 1, 0.1, 0.1, 0.01, 0.01]
    )


def test_the_crossover_is_the_first_batch_where_data_parallelism_moves_no_more() -> None:
    data, activations, parameters, batch = 1000, 300, 100, 32
    found = crossover_batch(data, activations, parameters, batch)
    assert found is not None
    assert activations * found / batch + parameters >= data
    assert activations * (found - 1) / batch + parameters < data


def test_the_crossover_is_zero_where_data_parallelism_always_and_none_where_it_never_wins() -> None:
    assert crossover_batch(100, 5, 100, 8) == 0
    assert crossover_batch(100, 0, 50, 8) is None


def test_a_comparison_knows_the_share_saved_against_data_parallelism() -> None:
    rows = [Strategy("hypergraph", 10, 10), Strategy("data", 0, 80)]
    assert Comparison("hypergraph", rows).against_data() == pytest.approx(0.75)
    assert Comparison("hypergraph", rows[:1]).against_data() is None


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "f.txt"
    write_text(path, "first")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_figures_have_fitting_units() -> None:
    assert [size(n) for n in (0, 999, 2048, 2.18e6, 654e6, 27.5e9, None)] == [
        "0 B",
        "999 B",
        "2.05 kB",
        "2.18 MB",
        "654 MB",
        "27.5 GB",
        "-",
    ]
    assert [duration(s) for s in (0.0123, 2.4, 345.6, None)] == ["12.3 ms", "2.4 s", "346 s", "-"]
    assert percent(0.9712) == "97.1%"
