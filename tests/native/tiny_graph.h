// The one tiny graph, with a skip and a branch, and its hypergraph written by hand.
//
//   x(2,4,4) -> a: Conv+Relu (4) -+-> b: Conv (4) -> Add with a (4) -+-> Concat (6)
//                                 |                                  |      |
//                                 +-> q: Conv (2) -------------------+      c: Conv+GAP (2) -> d ->
//                                 loss
//
// Batch 4 in 2 shards, blocks of 2: cells, with shard 0 first within each group, are
//   a 0 1 | 2 3     b+add 4 5 | 6 7     q 8 | 9     c 10 | 11     d 12 | 13     loss 14 | 15
#pragma once

#include "graph/passes.h"
#include "graph/text.h"
#include "hypergraph/hypergraph.h"

namespace tiny {

constexpr const char* kGraph = R"(hpmp-graph 1
input x 2 4 4
param a.w weight 4 2 3 3
param b.w weight 4 4 1 1
param q.w weight 2 4 1 1
param c.w weight 2 6 1 1
param d.w weight 2 2
param d.b bias 2
node Conv a : x : a.w : a.conv kernel=3,3 pads=1,1,1,1
node Relu a.relu : a.conv : : a.out
node Conv b : a.out : b.w : b.conv kernel=1,1
node Add b.add : b.conv a.out : : b.out
node Conv q : a.out : q.w : q.out kernel=1,1
node Concat cat : b.out q.out : : cat.out
node Conv c : cat.out : c.w : c.conv kernel=1,1
node GlobalAveragePool c.pool : c.conv : : c.out
node Flatten flat : c.out : : flat.out
node Dense d : flat.out : d.w d.b : d.out
output d.out
)";

// Cost, then pins counted from 1. Activations: 2 samples x channels x 16 pixels (1 after the pool),
// forward and backward. Parameters: rows x row elements, reduced and handed out again.
constexpr const char* kNets = R"(128 1 5 6 9
128 2 5 6 9
128 3 7 8 10
128 4 7 8 10
128 5 11
128 6 11
128 7 12
128 8 12
128 9 11
128 10 12
8 11 13
8 12 14
8 13 15
8 14 16
72 1 3
72 2 4
16 5 7
16 6 8
16 9 10
24 11 12
8 13 14
4 13 14
)";

inline hpmp::Graph graph() {
  return hpmp::with_loss(hpmp::with_late_flatten(hpmp::parse_graph(kGraph)));
}

inline hpmp::GridSpec grid() {
  hpmp::GridSpec grid;
  grid.batch = 4;
  grid.shards = 2;
  grid.channel_block = 2;
  grid.dense_block = 2;
  return grid;
}

inline hpmp::Hypergraph hypergraph() { return hpmp::build_hypergraph(graph(), grid()); }

}  // namespace tiny
