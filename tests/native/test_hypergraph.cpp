// Cells and nets: the tiny graph by hand, and each rule that it does not show.
#include <set>

#include "check.h"
#include "hypergraph/pieces.h"
#include "tiny_graph.h"

using namespace hpmp;

namespace {

const char* kNormalised = R"(hpmp-graph 1
input x 4 1 1
param s scale 4
param b shift 4
param m running_mean 4
param v running_var 4
node BatchNormalization n : x : s b m v : n.out
output n.out
)";

Hypergraph built(const std::string& text, const GridSpec& grid, bool loss = true) {
  const Graph graph = parse_graph(text);
  return build_hypergraph(loss ? with_loss(graph) : graph, grid);
}

std::vector<std::int32_t> pins_of(const Hypergraph& h, std::size_t e) {
  std::vector<std::int32_t> pins;
  for (std::int64_t i = h.pin_begin[e]; i < h.pin_begin[e + 1]; ++i) {
    pins.push_back(h.pins[static_cast<std::size_t>(i)].index);
  }
  return pins;
}

/// x(2) -> p(3), q(4); depthwise over their concatenation (7); 2 classes.
constexpr const char* kCrossing = R"(hpmp-graph 1
input x 2 2 2
param p.w weight 3 2 1 1
param q.w weight 4 2 1 1
param r.w weight 7 1 1 1
param d.w weight 2 28
node Conv p : x : p.w : p.out kernel=1,1
node Conv q : x : q.w : q.out kernel=1,1
node Concat cat : p.out q.out : : cat.out
node Conv r : cat.out : r.w : r.out kernel=1,1 groups=7
node Flatten f : r.out : : f.out
node Dense d : f.out : d.w : d.out
output d.out
)";

}  // namespace

TEST(nets_of_the_tiny_graph_are_those_written_by_hand) {
  const std::string text = hmetis_text(tiny::hypergraph());
  const std::string nets = std::string("22 16 11\n") + tiny::kNets;
  CHECK_EQ(text.substr(0, nets.size()), nets);
}

TEST(cell_weights_are_flops_and_bytes_of_the_group) {
  const Hypergraph h = tiny::hypergraph();
  for (const Cell& cell : h.cells) {
    const Cost c = group_cost(h.graph, h.grouped.group(cell.group), cell.region);
    const double work =
        c.forward_flops + c.backward_flops + 10 * (c.forward_bytes + c.backward_bytes);
    CHECK_NEAR(static_cast<double>(cell.weight), work, 0.51);
  }
}

TEST(cells_cover_every_output_once) {
  const Hypergraph h = tiny::hypergraph();
  std::vector<std::int64_t> covered(h.grouped.groups.size(), 0);
  for (const Cell& c : h.cells) {
    covered[c.group.at()] += c.region.n.size() * c.region.c.size() * c.region.h.size();
  }
  for (std::size_t g = 1; g < covered.size(); ++g) {
    const Shape& shape = h.grouped.groups[g].shape;
    CHECK_EQ(covered[g], 4 * shape.c * shape.h);
  }
  CHECK_EQ(covered[0], 0);
}

TEST(cell_numbers_are_group_then_shard_then_block) {
  const Hypergraph h = tiny::hypergraph();
  for (std::size_t i = 0; i < h.cells.size(); ++i) {
    const Cell& c = h.cells[i];
    CHECK_EQ(h.cell(c.group, c.shard, c.block).index, i);
  }
}

TEST(a_block_is_cut_where_its_consumers_differ) {
  GridSpec grid = tiny::grid();
  grid.shards = 1;
  const Hypergraph h = built(kCrossing, grid);
  // p: 0-2 | 2-3; q: 0-2 | 2-4 stands at 3-7; r reads in blocks 0-2, 2-4, 4-6, 6-7.
  std::vector<std::string> pieces;
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    const Net& net = h.nets[e];
    if (net.kind == NetKind::parameter || net.group.index > 2) continue;
    std::string text = std::to_string(net.group.index) + ":" + std::to_string(net.range.begin) +
                       "-" + std::to_string(net.range.end);
    for (std::int32_t pin : pins_of(h, e)) text += " " + std::to_string(pin);
    pieces.push_back(text);
  }
  const std::vector<std::string> expected{"1:0-2 0 4", "1:2-3 1 5", "2:0-1 2 5",
                                          "2:1-2 2 6", "2:2-3 3 6", "2:3-4 3 7"};
  CHECK(pieces == expected);
}

TEST(a_flattened_map_is_read_in_channels) {
  const Hypergraph h = built(kCrossing, tiny::grid());
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    if (h.nets[e].kind != NetKind::activation || h.nets[e].group.index != 3) continue;
    CHECK_EQ(h.nets[e].elems, 2 * h.nets[e].range.size() * 4);
    CHECK_EQ(pins_of(h, e).size(), 2);
  }
}

TEST(pieces_are_the_fewest) {
  const std::vector<UsedPiece> pieces =
      elementary_pieces({{0, 4}, {4, 8}}, {{{0, 8}, 7}, {{2, 6}, 3}, {{2, 6}, 3}});
  CHECK_EQ(pieces.size(), 4);
  CHECK((pieces[0].range == Range{0, 2}) && pieces[0].users == std::vector<std::int32_t>{7});
  CHECK((pieces[1].range == Range{2, 4}) && pieces[1].users == (std::vector<std::int32_t>{3, 7}));
  CHECK((pieces[2].range == Range{4, 6}) && pieces[2].block == 1);
  CHECK((pieces[3].range == Range{6, 8}) && pieces[3].users == std::vector<std::int32_t>{7});
}

TEST(unread_channels_make_no_piece) {
  CHECK_EQ(elementary_pieces({{0, 4}}, {{{1, 2}, 0}}).size(), 1);
  CHECK_EQ(elementary_pieces({{0, 4}}, {}).size(), 0);
}

TEST(a_tied_parameter_has_pins_in_all_its_groups) {
  const Hypergraph h = built(R"(hpmp-graph 1
input x 4 2 2
param w weight 4 4 1 1
param d.w weight 2 16
node Conv a : x : w : a.out kernel=1,1
node Conv b : a.out : w : b.out kernel=1,1
node Flatten f : b.out : : f.out
node Dense d : f.out : d.w : d.out
output d.out
)",
                             tiny::grid());
  std::size_t found = 0;
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    if (h.nets[e].kind != NetKind::parameter || h.graph.param(h.nets[e].param).name != "w")
      continue;
    CHECK_EQ(pins_of(h, e).size(), 4);
    CHECK_EQ(h.nets[e].cost, 2 * 2 * 4);
    ++found;
  }
  CHECK_EQ(found, 2);
}

TEST(frozen_and_running_parameters_have_no_nets_and_pass_no_gradient) {
  GridSpec grid = tiny::grid();
  grid.bn_group = 2;
  const Hypergraph h = built(R"(hpmp-graph 1
input x 2 2 2
param a.w weight 4 2 1 1 frozen
param e.w weight 4 4 1 1
param n.scale scale 4
param n.shift shift 4
param n.mean running_mean 4
param n.var running_var 4
param d.w weight 2 16
node Conv a : x : a.w : a.out kernel=1,1
node Conv e : a.out : e.w : e.out kernel=1,1
node BatchNormalization n : e.out : n.scale n.shift n.mean n.var : n.out
node Flatten f : n.out : : f.out
node Dense d : f.out : d.w : d.out
output d.out
)",
                             grid);
  std::set<std::string> with_nets;
  for (const Net& net : h.nets) {
    if (net.kind == NetKind::parameter) with_nets.insert(h.graph.param(net.param).name);
    if (net.kind == NetKind::activation) {
      CHECK_EQ(net.cost, net.elems * (net.group.index == 1 ? 1 : 2));
    }
  }
  CHECK(with_nets == (std::set<std::string>{"d.w", "e.w", "n.scale", "n.shift"}));
}

TEST(inference_has_forward_costs_and_no_parameter_nets) {
  GridSpec grid = tiny::grid();
  grid.training = false;
  const Hypergraph h =
      build_hypergraph(with_outputs(with_late_flatten(parse_graph(tiny::kGraph))), grid);
  for (const Net& net : h.nets) {
    CHECK(net.kind == NetKind::activation);
    CHECK_EQ(net.cost, net.elems);
  }
}

TEST(grids_that_cannot_be_cut_are_refused_with_a_cure) {
  const auto rejects = [](auto change, const std::string& part) {
    GridSpec grid = tiny::grid();
    change(grid);
    CHECK_THROWS(checked_grid(tiny::graph(), grid), ErrorCode::invalid_argument, part);
  };
  rejects([](GridSpec& g) { g.batch = 0; }, "batch is 0");
  rejects([](GridSpec& g) { g.shards = 3; }, "3 shards do not divide batch 4; use a divisor");
  rejects([](GridSpec& g) { g.channel_block = -1; }, "channel_block is -1");
}

TEST(shards_never_cut_a_statistics_group) {
  const Graph graph = with_loss(parse_graph(kNormalised));
  GridSpec grid;
  grid.batch = 64;
  grid.shards = 4;
  CHECK_THROWS(checked_grid(graph, grid), ErrorCode::invalid_argument,
               "4 shards cut batch-norm groups of 32 samples");
  grid.bn_group = 24;
  CHECK_THROWS(checked_grid(graph, grid), ErrorCode::invalid_argument,
               "groups of 24 samples do not divide the batch 64");
  grid.bn_group = 16;
  CHECK_EQ(checked_grid(graph, grid).bn_group, 16);
  grid.training = false;
  grid.bn_group = 0;
  CHECK_EQ(checked_grid(graph, grid).bn_group, 32);
}

TEST(shards_that_may_cut_a_statistics_group_divide_it_or_hold_it) {
  const Graph graph = with_loss(parse_graph(kNormalised));
  GridSpec grid;
  grid.batch = 96;
  grid.bn_group = 16;
  grid.bn_sync = true;
  for (std::int64_t shards : {1, 2, 3, 6, 12, 24, 48, 96}) {
    grid.shards = shards;
    CHECK_EQ(checked_grid(graph, grid).statistics_shards(), std::max<std::int64_t>(1, shards / 6));
  }
  grid.shards = 4;
  CHECK_THROWS(checked_grid(graph, grid), ErrorCode::invalid_argument,
               "4 shards of 24 samples neither hold nor divide batch-norm groups of 16 samples; "
               "use 3 shards");
}

TEST(a_statistics_net_joins_the_cells_of_one_block_in_the_shards_that_share) {
  GridSpec grid;
  grid.batch = 8;
  grid.shards = 4;
  grid.channel_block = 2;
  grid.bn_group = 4;
  grid.bn_sync = true;
  const Hypergraph h = built(kNormalised, grid);
  std::vector<std::vector<std::int32_t>> pins;
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    if (h.nets[e].kind != NetKind::statistics) continue;
    // A mean and a sum of squares for 2 channels, there and back, and as much backward.
    CHECK_EQ(h.nets[e].elems, 4);
    CHECK_EQ(h.nets[e].cost, 16);
    pins.push_back(pins_of(h, e));
  }
  // Cells of the group: 2 blocks of shard 0, then those of shard 1, ...
  CHECK(pins == (std::vector<std::vector<std::int32_t>>{{0, 2}, {1, 3}, {4, 6}, {5, 7}}));
}

TEST(every_activation_pin_shares_the_shard_of_its_producer) {
  const Hypergraph h = tiny::hypergraph();
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    if (h.nets[e].kind != NetKind::activation) continue;
    for (std::int32_t pin : pins_of(h, e)) {
      CHECK_EQ(h.cells[static_cast<std::size_t>(pin)].shard, h.nets[e].shard);
    }
  }
}
