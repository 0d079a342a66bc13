// The grid's own rules: what may be cut how.
#include "hypergraph/hypergraph.h"

#include "base/error.h"

namespace hpmp {
namespace {

std::string number(std::int64_t value) { return std::to_string(value); }

std::int64_t largest_divisor_up_to(std::int64_t value, std::int64_t limit) {
  for (std::int64_t d = std::min(value, limit); d > 1; --d) {
    if (value % d == 0) return d;
  }
  return 1;
}

void check_positive(const char* what, std::int64_t value) {
  if (value < 1) {
    fail(ErrorCode::invalid_argument,
         std::string("invalid grid: ") + what + " is " + number(value) + "; give at least 1");
  }
}

bool has_batch_norm(const Graph& graph) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [](const Node& n) { return n.op == OpKind::batch_norm; });
}

/// Whether every shard holds whole statistics groups, or every group whole shards.
bool fits_statistics(const GridSpec& grid) {
  const std::int64_t samples = grid.shard_samples();
  return samples % grid.bn_group == 0 || (grid.bn_sync && grid.bn_group % samples == 0);
}

/// One shard always fits.
std::int64_t most_shards_below(GridSpec grid) {
  while (grid.batch % grid.shards != 0 || !fits_statistics(grid)) --grid.shards;
  return grid.shards;
}

[[noreturn]] void refuse_statistics(const GridSpec& grid) {
  const std::string batch = "batch " + number(grid.batch);
  if (grid.batch % grid.bn_group != 0) {
    fail(ErrorCode::invalid_argument, "invalid grid: batch-norm groups of " +
                                          number(grid.bn_group) + " samples do not divide the " +
                                          batch + "; choose another batch or a group of " +
                                          number(largest_divisor_up_to(grid.batch, grid.bn_group)));
  }
  if (grid.bn_sync) {
    fail(ErrorCode::invalid_argument,
         "invalid grid: " + number(grid.shards) + " shards of " + number(grid.shard_samples()) +
             " samples neither hold nor divide batch-norm groups of " + number(grid.bn_group) +
             " samples; use " + number(most_shards_below(grid)) + " shards");
  }
  fail(ErrorCode::invalid_argument, "invalid grid: " + number(grid.shards) +
                                        " shards cut batch-norm groups of " +
                                        number(grid.bn_group) + " samples of " + batch +
                                        "; use a divisor of " + number(grid.batch / grid.bn_group) +
                                        " as shards, smaller batch-norm groups, or --bn sync");
}

}  // namespace

bool statistics_allow(const Graph& graph, GridSpec grid, std::int64_t shards) {
  grid.shards = shards;
  return !grid.training || !has_batch_norm(graph) ||
         (grid.batch % grid.bn_group == 0 && fits_statistics(grid));
}

GridSpec checked_grid(const Graph& graph, GridSpec grid) {
  check_positive("batch", grid.batch);
  check_positive("shards", grid.shards);
  check_positive("channel_block", grid.channel_block);
  check_positive("dense_block", grid.dense_block);
  if (grid.most_blocks < 0) {
    fail(ErrorCode::invalid_argument, "invalid grid: most_blocks is " + number(grid.most_blocks) +
                                          "; give a number of blocks, or 0 for no limit");
  }
  if (grid.bn_group == 0) grid.bn_group = std::min<std::int64_t>(grid.batch, 32);
  check_positive("bn_group", grid.bn_group);
  if (grid.batch % grid.shards != 0) {
    fail(ErrorCode::invalid_argument, "invalid grid: " + number(grid.shards) +
                                          " shards do not divide batch " + number(grid.batch) +
                                          "; use a divisor, such as " +
                                          number(largest_divisor_up_to(grid.batch, grid.shards)));
  }
  if (!statistics_allow(graph, grid, grid.shards)) refuse_statistics(grid);
  return grid;
}

}  // namespace hpmp
