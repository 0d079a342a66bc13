// The buffers of a fused group: which of its ops work in place and what forward keeps for backward.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/links.h"
#include "hypergraph/hypergraph.h"

namespace hpmp {

/// Where the links of a group put their results, for the samples of a shard and `channels` output
/// channels. Byte offsets are into the group's `saved` tensor and multiples of 64.
struct ChainLayout {
  static constexpr std::int64_t kOutput = -1;   // written to the group's output itself
  static constexpr std::int64_t kScratch = -2;  // only the next link reads it, in the same pass
  std::vector<Link> links;
  std::vector<std::int64_t> buffer;  // by link: offset of its result, kOutput or kScratch
  std::vector<std::int64_t> saved;   // by link: offset of its saved_bytes
  std::int64_t bytes = 0;
};

ChainLayout chain_layout(const Graph& graph, const Group& group, const GridSpec& grid,
                         std::int64_t channels);

/// What the group's output is stored as: that of the grid, but for a loss, which is fp32.
DType image_type(const Graph& graph, const Group& group, const GridSpec& grid);

/// Bytes of a group's `stage_grad` and `statistics` tensors; 0 where it runs in one stage.
std::int64_t stage_grad_bytes(const Graph& graph, const Group& group, const GridSpec& grid,
                              std::int64_t channels);
std::int64_t statistics_bytes(const Graph& graph, const Group& group, const GridSpec& grid,
                              std::int64_t channels);

/// Whether the group's backward reads its output, and its input `k`, again.
bool backward_reads_output(const Graph& graph, const Group& group, const GridSpec& grid);
bool backward_reads_input(const Graph& graph, const Group& group, std::size_t k);

}  // namespace hpmp
