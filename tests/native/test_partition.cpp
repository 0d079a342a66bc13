// Placements, metrics, classical strategies and the search, against counting by hand and by force.
#include <limits>
#include <set>

#include "check.h"
#include "partition/baselines.h"
#include "partition/grid_problem.h"
#include "partition/metrics.h"
#include "partition/multilevel.h"
#include "partition/search.h"
#include "tiny_graph.h"

using namespace hpmp;

namespace {

using Parts = std::vector<Rank>;

std::int64_t volume(const Metrics& m) { return m.activation_elems + m.parameter_elems; }

/// lambda by definition: the set of parts of a net's pins.
std::int64_t slow_volume(const Hypergraph& h, const Parts& part) {
  std::int64_t total = 0;
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    std::set<Rank> touched;
    for (std::int64_t i = h.pin_begin[e]; i < h.pin_begin[e + 1]; ++i) {
      touched.insert(part[h.pins[static_cast<std::size_t>(i)].at()]);
    }
    total += h.nets[e].cost * (static_cast<std::int64_t>(touched.size()) - 1);
  }
  return total;
}

Parts random_parts(std::size_t cells, int ranks, Random& random) {
  Parts part;
  for (std::size_t i = 0; i < cells; ++i) {
    part.push_back(static_cast<Rank>(random.below(static_cast<std::size_t>(ranks))));
  }
  return part;
}

/// A chain of convolutions 16 channels wide on 8x8 pixels.
Hypergraph chain(int layers, std::int64_t shards, std::int64_t block) {
  std::string text = "hpmp-graph 1\ninput v0 16 8 8\n";
  for (int i = 1; i <= layers; ++i) {
    const std::string n = std::to_string(i), before = "v" + std::to_string(i - 1);
    text += "param w" + n + " weight 16 16 3 3\n";
    text +=
        "node Conv c" + n + " : " + before + " : w" + n + " : v" + n + " kernel=3,3 pads=1,1,1,1\n";
  }
  GridSpec grid;
  grid.batch = 8;
  grid.shards = shards;
  grid.channel_block = block;
  return build_hypergraph(parse_graph(text + "output v" + std::to_string(layers) + "\n"), grid);
}

KwayProblem problem_of(const Hypergraph& h, int ranks, double epsilon) {
  return bundled_problem(h, 1 << 20, balance_of(h, ranks, epsilon, {})).problem;
}

/// The best volume of all placements on two ranks that hold the capacities.
std::int64_t best_by_force(const Hypergraph& h, double epsilon) {
  const KwayProblem problem = problem_of(h, 2, epsilon);
  std::int64_t best = std::numeric_limits<std::int64_t>::max();
  for (std::uint32_t code = 0; code < (1u << h.cells.size()); ++code) {
    Parts part;
    for (std::size_t i = 0; i < h.cells.size(); ++i) part.push_back((code >> i) & 1u);
    if (overload(problem, part_weights(problem, part)) > 0) continue;
    best = std::min(best, connectivity(problem, part));
  }
  return best;
}

SearchOptions quick(double epsilon = 0.03) {
  SearchOptions options;
  options.epsilon = epsilon;
  options.work = 3'000'000;
  return options;
}

}  // namespace

TEST(data_parallelism_of_the_tiny_graph_moves_each_parameter_once_each_way) {
  const Hypergraph h = tiny::hypergraph();
  const Metrics m = measure(h, baseline(h, "data", 2));
  CHECK_EQ(m.activation_elems, 0);
  // 2 x (a.w 72 + b.w 16 + q.w 8 + c.w 12 + d.w 4 + d.b 2) elements.
  CHECK_EQ(m.parameter_elems, 228);
  CHECK_NEAR(m.imbalance, 0, 1e-12);
}

TEST(filter_parallelism_of_the_tiny_graph_by_hand) {
  const Hypergraph h = tiny::hypergraph();
  // Blocks 0 of a and b+add and all of q, c, d, loss on rank 0: each block 0 of a is needed by
  // block 1 of b, each block 1 by rank 0, and block 1 of b by c; in both shards.
  const Metrics m = measure(h, baseline(h, "filter", 2));
  CHECK_EQ(m.activation_elems, 2 * 3 * 128);
  CHECK_EQ(m.parameter_elems, 0);
}

TEST(layer_parallelism_takes_the_lightest_heaviest_stage) {
  const Hypergraph h = chain(7, 1, 16);
  for (int ranks = 1; ranks <= 7; ++ranks) {
    const Metrics m = measure(h, baseline(h, "layer", ranks));
    const std::int64_t layer = h.cells[0].weight, most = (7 + ranks - 1) / ranks;
    CHECK_EQ(*std::max_element(m.part_weight.begin(), m.part_weight.end()), most * layer);
  }
}

TEST(owt_splits_dense_groups_by_features_and_the_rest_by_samples) {
  GridSpec grid = tiny::grid();
  grid.dense_block = 1;
  const Hypergraph h = build_hypergraph(tiny::graph(), grid);
  const Placement p = baseline(h, "owt", 2);
  for (std::size_t i = 0; i < h.cells.size(); ++i) {
    const Cell& c = h.cells[i];
    const bool dense = h.graph.node(h.grouped.group(c.group).nodes[0]).op == OpKind::dense;
    CHECK_EQ(p.part[i], dense ? c.block : c.shard);
  }
}

TEST(strategies_that_the_grid_cannot_hold_say_what_would_do) {
  const Hypergraph h = tiny::hypergraph();
  CHECK_THROWS(baseline(h, "data", 3), ErrorCode::infeasible, "use at least as many shards");
  CHECK_THROWS(baseline(h, "owt", 3), ErrorCode::infeasible, "2 sample shards");
  CHECK_THROWS(baseline(h, "filter", 3), ErrorCode::infeasible, "2 channel blocks");
  CHECK_THROWS(baseline(h, "layer", 7), ErrorCode::infeasible, "6 layer groups");
  CHECK_THROWS(baseline(h, "magic", 2), ErrorCode::invalid_argument, "unknown strategy 'magic'");
}

TEST(placements_are_checked) {
  const Hypergraph h = tiny::hypergraph();
  CHECK_THROWS(make_placement(h, Parts(3, 0), 2), ErrorCode::invalid_argument,
               "3 parts for 16 cells");
  CHECK_THROWS(make_placement(h, Parts(16, 2), 2), ErrorCode::invalid_argument,
               "cell 0 is on part 2");
  CHECK_THROWS(make_placement(h, Parts(16, 0), 0), ErrorCode::invalid_argument, "0 ranks");
}

TEST(owners_touch_their_net_and_share_the_parameters_evenly) {
  const Hypergraph h = tiny::hypergraph();
  const Placement p = baseline(h, "data", 2);
  // Elements of the parameter nets in order: 36, 36, 8, 8, 8, 12 and, of one block, 4 and 2. The
  // largest first, each to the rank that owns less.
  const Parts expected{0, 1, 1, 1, 0, 0, 1, 1};
  CHECK(Parts(p.owner.end() - 8, p.owner.end()) == expected);
  for (std::size_t e = 0; e < h.nets.size(); ++e) {
    const Parts parts = net_parts(h, p, NetId(static_cast<std::int64_t>(e)));
    CHECK(std::find(parts.begin(), parts.end(), p.owner[e]) != parts.end());
  }
}

TEST(volume_equals_its_definition_and_the_traffic_of_all_pairs) {
  const Hypergraph h = tiny::hypergraph();
  Random random(1);
  for (int i = 0; i < 200; ++i) {
    const int ranks = 1 + i % 5;
    const Placement p = make_placement(h, random_parts(h.cells.size(), ranks, random), ranks);
    const Metrics m = measure(h, p);
    CHECK_EQ(volume(m), slow_volume(h, p.part));
    std::int64_t pairs = 0, nets = 0;
    for (std::int64_t elems : m.pair_elems) pairs += elems;
    for (std::int64_t elems : net_volume(h, p)) nets += elems;
    CHECK_EQ(pairs, volume(m));
    CHECK_EQ(nets, volume(m));
  }
}

TEST(volumes_beyond_32_bits_are_exact) {
  GridSpec grid;
  grid.batch = 4096;
  grid.shards = 2;
  const Hypergraph h = build_hypergraph(parse_graph(R"(hpmp-graph 1
input x 1 1024 1024
param w weight 16 1 1 1
param v weight 16 16 1 1
node Conv a : x : w : a.out kernel=1,1
node Conv b : a.out : v : b.out kernel=1,1
output b.out
)"),
                                        grid);
  const Metrics m = measure(h, baseline(h, "layer", 2));
  CHECK_EQ(m.activation_elems, std::int64_t{2} * 4096 * 16 * 1024 * 1024);
}

TEST(contraction_keeps_the_connectivity_of_every_placement_of_clusters) {
  const Hypergraph h = chain(5, 4, 4);
  const KwayProblem problem = problem_of(h, 3, 0.1);
  Random random(2);
  for (int i = 0; i < 50; ++i) {
    const std::int32_t clusters = 7;
    std::vector<std::int32_t> cluster;
    for (std::size_t v = 0; v < problem.vertices(); ++v) {
      cluster.push_back(v < 7 ? static_cast<std::int32_t>(v)
                              : static_cast<std::int32_t>(random.below(7)));
    }
    const KwayProblem coarse = contracted(problem, cluster, clusters);
    const Parts part = random_parts(7, 3, random);
    Parts fine;
    for (std::int32_t c : cluster) fine.push_back(part[static_cast<std::size_t>(c)]);
    CHECK_EQ(connectivity(coarse, part), connectivity(problem, fine));
    CHECK(part_weights(coarse, part) == part_weights(problem, fine));
  }
}

TEST(refinement_never_harms_and_knows_its_volume) {
  const Hypergraph h = chain(6, 4, 4);
  Random random(3);
  for (int ranks = 2; ranks <= 5; ++ranks) {
    const KwayProblem problem = problem_of(h, ranks, 0.1);
    for (int i = 0; i < 20; ++i) {
      Parts part = random_parts(problem.vertices(), ranks, random);
      const Quality before{overload(problem, part_weights(problem, part)),
                           connectivity(problem, part)};
      std::int64_t work = 0;
      const Quality after = refine(problem, part, {4, 50}, random, work);
      CHECK(!(before < after));
      CHECK_EQ(after.volume, connectivity(problem, part));
      CHECK_EQ(after.overload, overload(problem, part_weights(problem, part)));
      CHECK(work > 0);
    }
  }
}

TEST(fixed_vertices_stay) {
  const Hypergraph h = chain(6, 4, 4);
  KwayProblem problem = problem_of(h, 3, 0.2);
  Random random(4);
  for (std::size_t v = 0; v < problem.vertices(); v += 5)
    problem.fixed[v] = static_cast<Rank>(v % 3);
  Parts part;
  std::int64_t work = 0;
  cycle(problem, part, {}, 10, random, work);
  for (std::size_t v = 0; v < problem.vertices(); v += 5) CHECK_EQ(part[v], problem.fixed[v]);
}

TEST(search_finds_the_optimum_of_small_problems) {
  const Hypergraph tiny_h = tiny::hypergraph();
  for (double epsilon : {0.05, 0.2, 0.5}) {
    const std::vector<Candidate> found = search_placements(tiny_h, 2, quick(epsilon), {});
    CHECK_EQ(found[0].overload, 0);
    CHECK_EQ(found[0].volume, best_by_force(tiny_h, epsilon));
  }
  const Hypergraph line = chain(4, 2, 8);
  CHECK_EQ(search_placements(line, 2, quick(), {})[0].volume, best_by_force(line, 0.03));
}

TEST(search_is_no_worse_than_what_it_is_given) {
  const Hypergraph h = chain(8, 4, 4);
  const Placement data = baseline(h, "data", 4);
  SearchOptions options = quick();
  options.work = 1;
  const std::vector<Candidate> found = search_placements(h, 4, options, {data.part});
  CHECK(found[0].volume <= volume(measure(h, data)));
}

TEST(candidates_say_what_is_measured_and_stand_in_order) {
  const Hypergraph h = chain(8, 4, 4);
  const std::vector<Candidate> found = search_placements(h, 3, quick(), {});
  for (std::size_t i = 0; i < found.size(); ++i) {
    const Metrics m = measure(h, make_placement(h, found[i].part, 3));
    CHECK_EQ(found[i].volume, volume(m));
    CHECK_NEAR(found[i].imbalance, m.imbalance, 1e-12);
    if (i > 0 && found[i].overload == found[i - 1].overload) {
      CHECK(found[i - 1].volume < found[i].volume);
    }
  }
}

TEST(the_same_seed_gives_the_same_placement) {
  const Hypergraph h = chain(8, 4, 4);
  const std::vector<Candidate> a = search_placements(h, 3, quick(), {});
  const std::vector<Candidate> b = search_placements(h, 3, quick(), {});
  CHECK_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].part == b[i].part);
}

TEST(shares_of_uneven_ranks_are_met) {
  const Hypergraph h = chain(12, 8, 4);
  SearchOptions options = quick(0.05);
  options.share = {1, 2, 5};
  const std::vector<Candidate> found = search_placements(h, 3, options, {});
  CHECK_EQ(found[0].overload, 0);
  CHECK(found[0].imbalance <= 0.05 + 1e-9);
  const Metrics m = measure(h, make_placement(h, found[0].part, 3));
  CHECK(m.part_weight[2] > 4 * m.part_weight[0]);
}

TEST(a_cell_that_outweighs_a_part_leaves_no_part_empty) {
  // The first convolution does nearly all the work, in a single cell.
  GridSpec grid;
  grid.batch = 1;
  const Hypergraph h = build_hypergraph(parse_graph(R"(hpmp-graph 1
input x 16 64 64
param a.w weight 16 16 7 7
param b.w weight 32 16 1 1
param c.w weight 32 32 1 1
node Conv a : x : a.w : a.out kernel=7,7 strides=2,2 pads=3,3,3,3
node MaxPool p : a.out : : p.out kernel=8,8 strides=8,8
node Conv b : p.out : b.w : b.out kernel=1,1
node Conv c : b.out : c.w : c.out kernel=1,1
output c.out
)"),
                                        grid);
  const std::vector<Candidate> found = search_placements(h, 3, quick(), {});
  const Metrics m = measure(h, make_placement(h, found[0].part, 3));
  CHECK_EQ(m.part_weight[0], h.cells[0].weight);
  CHECK(m.part_weight[1] > 0 && m.part_weight[2] > 0);
}

TEST(searches_that_cannot_be_are_refused) {
  const Hypergraph h = tiny::hypergraph();
  SearchOptions options = quick();
  CHECK_THROWS(search_placements(h, 17, options, {}), ErrorCode::infeasible,
               "17 ranks are more than the 16 cells");
  CHECK_THROWS(search_placements(h, 0, options, {}), ErrorCode::invalid_argument, "0 ranks");
  CHECK_THROWS(search_placements(h, 2, options, {Parts(2, 0)}), ErrorCode::invalid_argument,
               "2 parts for 16 cells");
  options.epsilon = -1;
  CHECK_THROWS(search_placements(h, 2, options, {}), ErrorCode::invalid_argument, "epsilon");
  options = quick();
  options.share = {1, 0};
  CHECK_THROWS(search_placements(h, 2, options, {}), ErrorCode::invalid_argument, "shares");
}

TEST(one_rank_holds_everything) {
  const Hypergraph h = tiny::hypergraph();
  const std::vector<Candidate> found = search_placements(h, 1, quick(), {});
  CHECK_EQ(found.size(), 1);
  CHECK_EQ(found[0].volume, 0);
}
