// Batch statistics that shards share: whatever cuts their groups, training is that of one rank.
#include <cstring>

#include "engine_run.h"

using namespace engine_run;

namespace {

/// A batch_norm on the input, one behind a convolution, two in one chain with a skip and a pool
/// between them, and one on a concatenation.
const char* kGraph = R"(hpmp-graph 1
input x 3 8 8
param s0 scale 3
param t0 shift 3
param m0 running_mean 3
param v0 running_var 3
param w1 weight 32 3 3 3
param s1 scale 32
param t1 shift 32
param m1 running_mean 32
param v1 running_var 32
param w2 weight 32 32 3 3
param s2 scale 32
param t2 shift 32
param m2 running_mean 32
param v2 running_var 32
param s3 scale 32
param t3 shift 32
param m3 running_mean 32
param v3 running_var 32
param w4 weight 32 32 3 3
param s5 scale 64
param t5 shift 64
param m5 running_mean 64
param v5 running_var 64
param fc weight 10 64
node BatchNormalization bn0 : x : s0 t0 m0 v0 : x0
node Conv conv1 : x0 : w1 : a kernel=3,3 pads=1,1,1,1
node BatchNormalization bn1 : a : s1 t1 m1 v1 : b
node Relu r1 : b : : c
node Conv conv2 : c : w2 : d kernel=3,3 pads=1,1,1,1
node BatchNormalization bn2 : d : s2 t2 m2 v2 : e
node Add add : e c : : f
node AveragePool pool : f : : g kernel=2,2 strides=2,2
node BatchNormalization bn3 : g : s3 t3 m3 v3 : h
node Relu r3 : h : : i
node Conv conv4 : i : w4 : j kernel=3,3 pads=1,1,1,1
node Concat cat : i j : : k
node BatchNormalization bn5 : k : s5 t5 m5 v5 : l
node Relu r5 : l : : m
node GlobalAveragePool gap : m : : n
node Flatten flat : n : : o
node Dense fc : o : fc : p
output p
)";

}  // namespace

TEST(shards_that_share_statistics_train_as_one_shard_does) {
  const Graph graph = training_graph(kGraph);
  for (std::int64_t group : {4, 24}) {
    const Run one = reference(graph, group);
    CHECK(one.losses[0] > 0);
    for (int ranks : {2, 3}) {
      for (const char* name : {"data", "layer", "filter", "owt"}) {
        const Hypergraph h = cut(graph, 12, group, true);
        CHECK(h.grid.statistics_shards() > 1);
        check_parity(h, baseline(h, name, ranks).part, ranks, one, name);
      }
    }
  }
}

TEST(random_placements_of_shards_that_share_statistics_train_as_one_shard_does) {
  const Graph graph = training_graph(kGraph);
  const Run one = reference(graph, 12);
  for (int ranks : {1, 2, 3, 4}) {
    const Hypergraph h = cut(graph, 8, 12, true);
    std::mt19937 random(static_cast<unsigned>(ranks));
    std::vector<Rank> parts(h.cells.size());
    for (Rank& p : parts) p = static_cast<Rank>(random() % static_cast<unsigned>(ranks));
    check_parity(h, parts, ranks, one, "random");
  }
}

TEST(a_frozen_trunk_exchanges_its_statistics_in_the_forward_pass_alone) {
  std::string text = kGraph;
  for (const char* line : {"param s0 scale 3", "param t0 shift 3", "param w1 weight 32 3 3 3",
                           "param s1 scale 32", "param t1 shift 32"})
    text.replace(text.find(line), std::strlen(line), std::string(line) + " frozen");
  const Graph graph = training_graph(text.c_str());
  const Hypergraph h = cut(graph, 4, 24, true);
  for (const Net& net : h.nets) {
    const bool frozen = !h.grouped.group(net.group).requires_grad;
    if (net.kind == NetKind::statistics) CHECK_EQ(net.cost, net.elems * (frozen ? 2 : 4));
  }
  check_parity(h, baseline(h, "data", 4).part, 4, reference(graph, 24), "frozen");
}

TEST(shards_of_whole_statistics_groups_plan_the_same_with_and_without_sharing) {
  const Graph graph = training_graph(kGraph);
  const auto plan = [&](bool sync) {
    const Hypergraph h = cut(graph, 3, 4, sync);
    Plan made = build_plan(h, baseline(h, "data", 3), Machine{}, "data");
    made.grid.bn_sync = false;
    return plan_text(made);
  };
  CHECK_EQ(plan(true), plan(false));
}
