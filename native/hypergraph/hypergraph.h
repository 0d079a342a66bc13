// The hypergraph of a grouped graph: cells of the (shard x channel block) grids and their nets.
#pragma once

#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/ids.h"
#include "base/optimizer.h"
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
  bool bn_sync = false;             // shards may cut such a group and exchange its sums
  bool training = true;             // false: forward costs only, no parameter nets
  DType dtype = DType::fp32;        // of activations, their gradients and the messages of both
  OptimizerKind optimizer = OptimizerKind::sgd;  // whose states are kept beside parameters
  double flops_per_byte = 10.0;                  // weight of a byte moved, in FLOPs

  std::int64_t shard_samples() const { return batch / shards; }
  /// Shards that share batch statistics; 1 where no statistics group is cut.
  std::int64_t statistics_shards() const {
    return training && bn_sync && bn_group > shard_samples() ? bn_group / shard_samples() : 1;
  }
  /// The first of the shards that share statistics with shard `s`.
  std::int32_t first_sharing(std::int32_t s) const {
    return s - s % static_cast<std::int32_t>(statistics_shards());
  }
};

/// Fills defaults and checks the grid. Errors: `invalid_argument` if shards do not divide the
/// batch, bn_group does not divide it, or (with batch_norm) a shard is no multiple of bn_group;
/// with bn_sync it may divide bn_group as well.
GridSpec checked_grid(const Graph& graph, GridSpec grid);

/// Whether so many shards, which divide the batch, leave the groups that share batch statistics
/// whole, or may cut them.
bool statistics_allow(const Graph& graph, GridSpec grid, std::int64_t shards);

struct Cell {
  GroupId group;
  std::int32_t shard = 0;
  std::int32_t block = 0;
  Region region;            // of the group's output; n in global sample numbers
  std::int64_t weight = 1;  // work in FLOP equivalents, at least 1
};

enum class NetKind : std::uint8_t { activation, parameter, statistics };

/// Activation net: channels `range` of cell's (group, shard) output; the first pin produces it, the
/// others read it. Parameter net: rows `range` of `param`; pins are the cells that use it.
/// Statistics net: two sums for each of the channels `range` of the group's batch_norm number
/// `norm`; pins are the cells that hold these channels in the shards that share statistics. Every
/// part but the owner sends its sums and gets those of all back, forward and backward.
struct Net {
  NetKind kind = NetKind::activation;
  GroupId group;            // producer group; for a parameter the first group that uses it
  std::int32_t shard = -1;  // of statistics: the first of the shards that share them
  ParamId param;            // parameter only
  Range range;
  // Of the piece: samples x channels x pixels, rows x row elements, or 2 x channels.
  std::int64_t elems = 0;
  // Activation: elems x (1 forward + 1 backward where a gradient flows); parameter: 2 x elems;
  // statistics: 2 x elems forward and as much backward, where there is a backward pass.
  std::int64_t cost = 0;
  std::int32_t norm = -1;  // statistics only
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
