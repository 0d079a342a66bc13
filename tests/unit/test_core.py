"""The C interface, through its thin client: handles, checks, errors."""

from __future__ import annotations

import numpy as np
import pytest
import tiny_network as tiny

import pyhpmp
from pyhpmp import _core


@pytest.fixture
def prepared() -> _core.Graph:
    return _core.Graph.parse(tiny.TEXT).prepare()


@pytest.fixture
def hypergraph(prepared: _core.Graph) -> _core.Hypergraph:
    return _core.Hypergraph(prepared, batch=16, shards=2, bn_group=8)


@pytest.fixture
def plan(hypergraph: _core.Hypergraph) -> _core.Plan:
    return _core.Plan.build(hypergraph, hypergraph.baseline("data", 2), 2, "data", {})


def test_a_graph_text_round_trips() -> None:
    text = _core.Graph.parse(tiny.TEXT).text()
    assert _core.Graph.parse(text).text() == text


def test_a_graph_tells_its_parameters_input_and_outputs() -> None:
    graph = _core.Graph.parse(tiny.TEXT)
    by_name = {param.name: param for param in graph.params}
    assert by_name["stem.w"] == ("stem.w", "weight", (32, 3, 3, 3), True, 864)
    assert not by_name["bn.mean"].trainable
    assert graph.input == ("x", (3, 8, 8))
    assert graph.outputs == [("y", (10, 1, 1))]


def test_equal_graphs_have_equal_hashes_and_others_do_not(prepared: _core.Graph) -> None:
    graph = _core.Graph.parse(tiny.TEXT)
    assert graph.hash == _core.Graph.parse(tiny.TEXT).hash
    assert graph.hash != prepared.hash


def test_a_training_graph_ends_in_a_loss_and_an_inference_graph_in_its_outputs() -> None:
    graph = _core.Graph.parse(tiny.TEXT)
    assert graph.prepare(training=True).outputs[0].shape == (2, 1, 1)
    assert graph.prepare(training=False).outputs[0].shape == (10, 1, 1)


def test_a_broken_graph_is_a_model_error_that_names_the_line() -> None:
    with pytest.raises(pyhpmp.ModelError, match="line 2") as caught:
        _core.Graph.parse("hpmp-graph 1\nnode Nonsense n : x : : y\n")
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("op", "takes"),
    [("PRelu", 1), ("LayerNormalization", 1), ("Affine", 2), ("BatchNormalization", 4)],
)
def test_a_node_without_its_parameters_is_refused(op: str, takes: int) -> None:
    text = tiny.TEXT.replace("node Relu relu : bn", f"node {op} relu : bn")
    attributes = {"LayerNormalization": "has_shift=0"}
    text = text.replace(" : : relu\n", f" : : relu {attributes.get(op, '')}".rstrip() + "\n", 1)
    with pytest.raises(pyhpmp.ModelError, match=f"has 0 parameters; it takes {takes} to"):
        _core.Graph.parse(text)


def clipped(attributes: str) -> str:
    """The graph with a Clip in the place of its Relu."""
    return tiny.TEXT.replace(
        "node Relu relu : bn : : relu", f"node Clip relu : bn : : relu {attributes}"
    )


@pytest.mark.parametrize("attributes", ["min=0 max=6", "min=-0.1", "max=1e-07", ""])
def test_bounds_of_a_clip_round_trip(attributes: str) -> None:
    text = _core.Graph.parse(clipped(attributes)).text()
    assert f" : relu {attributes}".rstrip() + "\n" in text
    assert _core.Graph.parse(text).text() == text


@pytest.mark.parametrize("attributes", ["min=1 max=0", "min=nan", "max=x"])
def test_bounds_that_are_none_are_refused(attributes: str) -> None:
    with pytest.raises(pyhpmp.ModelError, match=r"must be at most max|is not a number"):
        _core.Graph.parse(clipped(attributes))


def test_arrays_of_a_hypergraph_agree_with_its_hmetis_text(hypergraph: _core.Hypergraph) -> None:
    lines = hypergraph.hmetis().splitlines()
    nets, cells, kind = map(int, lines[0].split())
    assert (nets, cells, kind) == (hypergraph.nets, hypergraph.cells, 11)
    for net in range(nets):
        cost, *pins = map(int, lines[1 + net].split())
        begin, end = hypergraph.pin_begin[net : net + 2]
        assert cost == hypergraph.net_cost[net]
        assert [pin - 1 for pin in pins] == hypergraph.pin_cell[begin:end].tolist()
    assert list(map(int, lines[1 + nets :])) == hypergraph.cell_weight.tolist()


def test_volume_is_the_sum_over_nets_of_cost_times_further_parts(
    hypergraph: _core.Hypergraph,
) -> None:
    part = np.random.default_rng(0).integers(0, 3, hypergraph.cells).astype(np.int32)
    expected = 0
    for net in range(hypergraph.nets):
        begin, end = hypergraph.pin_begin[net : net + 2]
        touched = set(part[hypergraph.pin_cell[begin:end]].tolist())
        expected += int(hypergraph.net_cost[net]) * (len(touched) - 1)
    metrics = hypergraph.measure(part, 3)
    assert metrics.activation_elems + metrics.parameter_elems == expected
    assert metrics.pair_elems.sum() == metrics.net_volume.sum() == expected
    assert metrics.part_weight.sum() == hypergraph.cell_weight.sum()


def test_a_placement_of_the_wrong_length_is_refused(hypergraph: _core.Hypergraph) -> None:
    with pytest.raises(pyhpmp.InvalidArgumentError, match="cells"):
        hypergraph.measure([0, 1], 2)


def test_a_part_that_is_no_rank_is_refused(hypergraph: _core.Hypergraph) -> None:
    with pytest.raises(pyhpmp.InvalidArgumentError):
        hypergraph.measure(np.full(hypergraph.cells, 7), 2)


def test_an_unknown_baseline_is_refused_by_name(hypergraph: _core.Hypergraph) -> None:
    with pytest.raises(pyhpmp.InvalidArgumentError, match="nonsense"):
        hypergraph.baseline("nonsense", 2)


def test_a_search_finds_no_more_volume_than_where_it_starts(hypergraph: _core.Hypergraph) -> None:
    start = hypergraph.baseline("data", 2)
    volume = int(hypergraph.measure(start, 2).net_volume.sum())
    found = hypergraph.search(2, epsilon=0.5, work=1_000_000, keep=2, starts=[start])
    assert 1 <= len(found) <= 2
    assert int(hypergraph.measure(found[0], 2).net_volume.sum()) <= volume


def test_a_plan_text_round_trips_and_verifies(plan: _core.Plan, prepared: _core.Graph) -> None:
    again = _core.Plan.parse(plan.text())
    assert again.text() == plan.text()
    again.verify(prepared)
    assert (again.ranks, again.batch, again.shards, again.strategy) == (2, 16, 2, "data")


def test_a_plan_for_another_graph_is_refused(plan: _core.Plan) -> None:
    other = _core.Graph.parse(
        tiny.TEXT.replace("head.w weight 10", "head.w weight 12").replace(
            "head.b bias 10", "head.b bias 12"
        )
    ).prepare()
    with pytest.raises(pyhpmp.InvalidPlanError):
        plan.verify(other)
    with pytest.raises(pyhpmp.InvalidPlanError, match="another graph"):
        _core.Engine(other, plan, _core.World(2).communicator(0))


def test_every_instruction_has_a_label_and_times(plan: _core.Plan, prepared: _core.Graph) -> None:
    for rank in range(2):
        labels = plan.labels(prepared, rank)
        start, end = plan.times(rank)
        assert len(labels) == plan.rank(rank).instructions == len(start) == len(end)
        assert (end >= start).all()
        assert any(label.startswith("BWD") for label in labels)


@pytest.mark.parametrize("strategy", ["data", "layer", "filter", "owt"])
def test_the_tasks_of_all_ranks_cover_every_layer_once(
    hypergraph: _core.Hypergraph, strategy: str
) -> None:
    made = _core.Plan.build(hypergraph, hypergraph.baseline(strategy, 2), 2, strategy, {})
    channels = np.zeros(len(hypergraph.groups), np.int64)
    for rank in range(2):
        tasks = made.tasks(rank)
        np.add.at(channels, tasks.group, tasks.channels)
    for group, covered in zip(hypergraph.groups, channels, strict=True):
        if group.blocks:
            assert covered == group.shape[0] * made.shards


def test_a_program_and_its_messages_are_given_as_arrays(plan: _core.Plan) -> None:
    table = plan.message_table()
    assert int(table.elems.sum()) == plan.activation_elems + plan.parameter_elems
    for rank in range(2):
        info, program = plan.rank(rank), plan.program(rank)
        assert len(program.kind) == info.instructions
        assert 0 < program.live_bytes.max() <= info.arena_bytes
        sends = program.kind == _core.INSTRUCTIONS.index("SEND")
        assert (table.sender[program.message[sends]] == rank).all()
        assert int(table.elems[program.message[sends]].sum()) == info.sent_elems


def test_predicted_elements_are_those_of_all_ranks(plan: _core.Plan) -> None:
    sent = sum(plan.rank(rank).sent_elems for rank in range(2))
    assert sent == plan.activation_elems + plan.parameter_elems


def test_a_rank_or_parameter_that_does_not_exist_is_refused(plan: _core.Plan) -> None:
    with pytest.raises(pyhpmp.InvalidArgumentError, match="rank 2 does not exist"):
        plan.rank(2)


def test_an_engine_needs_as_many_ranks_as_its_plan(plan: _core.Plan, prepared: _core.Graph) -> None:
    with pytest.raises(pyhpmp.InvalidArgumentError, match="2 ranks"):
        _core.Engine(prepared, plan, _core.World(3).communicator(0))
