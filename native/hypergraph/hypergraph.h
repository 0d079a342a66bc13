// The hypergraph of a grouped graph: cells of the (shard x channel block) grids and their nets.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/region.h"
#include "graph/groups.h"

namespace hpmp {

/// How the outputs of all groups are cut. Row tiles are one per group so far (T = 1).
struct GridSpec {
  std::int64_t batch = 0;           // global samples per step
  std::int64_t shards = 1;          // S; divides batch
  std::int64_t channel_block = 16;  // of 4-D groups, raised to the group's channel_multiple
  std::int64_t dense_block = 64;    // of groups whose head is dense
  std::int64_t most_blocks = 0;     // of a group, whose blocks grow to that end; 0: no limit
  std::int64_t bn_group = 0;        // samples that share statistics; 0: min(batch, 32)
  bool training = true;             // false: forward costs only, no parameter nets
  double flops_per_byte = 10.0;     // weight of a byte moved, in FLOPs
};

/// Fills defaults and checks the grid. Errors: `invalid_argument` if shards do not divide the
/// batch, bn_group does not divide it, or (with batch_norm) a shard is no multiple of bn_group.
GridSpec checked_grid(const Graph& graph, GridSpec grid);

struct Cell {
  GroupId group;
  std::int32_t shard = 0;
  std::int32_t block = 0;
  Region region;            // of the group's output; n in global sample numbers
  std::int64_t weight = 1;  // work in FLOP equivalents, at least 1
};

enum class NetKind : std::uint8_t { activation, parameter };

/// Activation net: channels `range` of cell's (group, shard) output; the first pin produces it, the
/// others read it. Parameter net: rows `range` of `param`; pins are the cells that use it.
struct Net {
  NetKind kind = NetKind::activation;
  GroupId group;            // producer group; for a parameter the first group that uses it
  std::int32_t shard = -1;  // activation only
  ParamId param;            // parameter only
  Range range;
  std::int64_t elems = 0;  // of the piece: samples x channels x pixels, or rows x row elements
  std::int64_t cost = 0;   // elems x (1 forward + 1 backward where a gradient flows), or 2 x elems
};

struct Hypergraph {
  GridSpec grid;
  Graph graph;
  GroupedGraph grouped;
  std::vector<Cell> cells;
  std::vector<std::int32_t> first_cell;  // by group; cells of g: first + shard * blocks + block
  std::vector<std::int32_t> blocks;      // channel blocks per group (0: no cells)
  std::vector<Net> nets;
  std::vector<std::int64_t> pin_begin;  // CSR, nets + 1
  std::vector<CellId> pins;

  CellId cell(GroupId g, std::int32_t shard, std::int32_t block) const {
    return CellId(first_cell[g.at()] + shard * blocks[g.at()] + block);
  }
};

/// Nets without a second pin are kept out (they can never be cut).
Hypergraph build_hypergraph(const Graph& graph, const GridSpec& grid);

/// hMETIS text, format 11 (net and vertex weights); costs and weights in 64 bits.
std::string hmetis_text(const Hypergraph& h);

}  // namespace hpmp
