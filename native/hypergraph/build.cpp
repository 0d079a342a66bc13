// Builds cells and nets from needs, params and cost alone; shards are copies of shard 0.
#include <cmath>

#include "hypergraph/hypergraph.h"
#include "hypergraph/pieces.h"
#include "hypergraph/stages.h"

namespace hpmp {
namespace {

bool has_cells(const Graph& graph, const Group& group) {
  return graph.node(group.nodes[0]).op != OpKind::input;
}

std::int64_t rounded_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

std::int64_t block_channels(const Graph& graph, const Group& group, const GridSpec& grid) {
  if (group.single_block) return group.shape.c;
  const bool dense = graph.node(group.nodes[0]).op == OpKind::dense;
  const std::int64_t multiple = group.channel_multiple;
  std::int64_t width = rounded_up(dense ? grid.dense_block : grid.channel_block, multiple);
  if (grid.most_blocks > 0) {
    const std::int64_t least = (group.shape.c + grid.most_blocks - 1) / grid.most_blocks;
    width = rounded_up(std::max(width, least), width);
  }
  return width;
}

std::int64_t cell_weight(const GridSpec& grid, const Cost& cost) {
  double flops = cost.forward_flops, bytes = cost.forward_bytes;
  if (grid.training) flops += cost.backward_flops, bytes += cost.backward_bytes;
  return std::max<std::int64_t>(1, std::llround(flops + grid.flops_per_byte * bytes));
}

class Builder {
 public:
  Builder(const Graph& graph, const GridSpec& grid) {
    h_.grid = checked_grid(graph, grid);
    h_.graph = graph;
    h_.grouped = fuse_groups(graph);
  }

  Hypergraph build() {
    for (std::size_t g = 0; g < groups().size(); ++g) add_cells(GroupId(g));
    add_activation_nets();
    if (h_.grid.training) add_parameter_nets();
    if (h_.grid.statistics_shards() > 1) add_statistics_nets();
    h_.pin_begin.push_back(static_cast<std::int64_t>(h_.pins.size()));
    return std::move(h_);
  }

 private:
  const std::vector<Group>& groups() const { return h_.grouped.groups; }
  std::int64_t shard_samples() const { return h_.grid.shard_samples(); }
  std::int32_t shards() const { return static_cast<std::int32_t>(h_.grid.shards); }

  void add_cells(GroupId g) {
    const Group& group = h_.grouped.group(g);
    h_.first_cell.push_back(static_cast<std::int32_t>(h_.cells.size()));
    h_.blocks.push_back(0);
    if (!has_cells(h_.graph, group)) return;
    const std::int64_t channels = group.shape.c, width = block_channels(h_.graph, group, h_.grid);
    h_.blocks.back() = static_cast<std::int32_t>((channels + width - 1) / width);
    for (std::int32_t b = 0; b < h_.blocks.back(); ++b) {
      const Region region{{0, shard_samples()},
                          {b * width, std::min(channels, (b + 1) * width)},
                          {0, group.shape.h}};
      const std::int64_t weight = cell_weight(h_.grid, group_cost(h_.graph, group, region));
      h_.cells.push_back({g, 0, b, region, weight});
    }
    copy_to_other_shards(h_.cells.size() - static_cast<std::size_t>(h_.blocks.back()));
  }

  void copy_to_other_shards(std::size_t first) {
    const std::size_t last = h_.cells.size();
    for (std::int32_t s = 1; s < shards(); ++s) {
      for (std::size_t i = first; i < last; ++i) {
        Cell cell = h_.cells[i];
        cell.shard = s;
        cell.region.n = {s * shard_samples(), (s + 1) * shard_samples()};
        h_.cells.push_back(cell);
      }
    }
  }

  /// The shard-0 cell of block `b` of group `g`, as the index of a Use.
  std::int32_t base_cell(GroupId g, std::int32_t b) const { return h_.cell(g, 0, b).index; }

  /// Which cells of shard 0 read which channels of each group's output.
  std::vector<std::vector<Use>> activation_uses() const {
    std::vector<std::vector<Use>> uses(groups().size());
    for (std::size_t g = 0; g < groups().size(); ++g) {
      for (std::size_t k = 0; k < groups()[g].inputs.size(); ++k) {
        for (std::int32_t b = 0; b < h_.blocks[g]; ++b) {
          const std::int32_t cell = base_cell(GroupId(g), b);
          const Region need = group_needs(h_.graph, groups()[g],
                                          h_.cells[static_cast<std::size_t>(cell)].region, k);
          for (const SourceChannels& read : groups()[g].inputs[k].view.sources_within({need.c})) {
            std::vector<Use>& found = uses[h_.grouped.group_of_value[read.source.at()].at()];
            for (Range c : read.channels) found.push_back({c, cell});
          }
        }
      }
    }
    return uses;
  }

  std::vector<Range> block_ranges(GroupId g) const {
    std::vector<Range> ranges;
    for (std::int32_t b = 0; b < h_.blocks[g.at()]; ++b) {
      ranges.push_back(h_.cells[h_.cell(g, 0, b).at()].region.c);
    }
    return ranges;
  }

  void add_activation_nets() {
    const std::vector<std::vector<Use>> uses = activation_uses();
    for (std::size_t g = 0; g < groups().size(); ++g) {
      if (h_.blocks[g] == 0) continue;
      const std::vector<UsedPiece> pieces = elementary_pieces(block_ranges(GroupId(g)), uses[g]);
      for (std::int32_t s = 0; s < shards(); ++s) {
        for (const UsedPiece& piece : pieces) add_activation_net(GroupId(g), s, piece);
      }
    }
  }

  void add_activation_net(GroupId g, std::int32_t shard, const UsedPiece& piece) {
    const Group& group = h_.grouped.group(g);
    Net net{NetKind::activation, g, shard, ParamId(), piece.range, 0, 0, -1};
    net.elems = shard_samples() * piece.range.size() * group.shape.h * group.shape.w;
    net.cost = net.elems * (h_.grid.training && group.requires_grad ? 2 : 1);
    begin_net(net);
    h_.pins.push_back(h_.cell(g, shard, static_cast<std::int32_t>(piece.block)));
    for (std::int32_t user : piece.users) h_.pins.push_back(in_shard(user, shard));
  }

  CellId in_shard(std::int32_t base, std::int32_t shard) const {
    const GroupId g = h_.cells[static_cast<std::size_t>(base)].group;
    return CellId(base + shard * h_.blocks[g.at()]);
  }

  void begin_net(const Net& net) {
    h_.pin_begin.push_back(static_cast<std::int64_t>(h_.pins.size()));
    h_.nets.push_back(net);
  }

  bool has_nets(ParamId p) const {
    return h_.graph.param(p).trainable && !h_.graph.param(p).is_state();
  }

  /// Which cells of shard 0 use which rows of each parameter; tied parameters meet here.
  std::vector<std::vector<Use>> parameter_uses() const {
    std::vector<std::vector<Use>> uses(h_.graph.params.size());
    for (std::size_t g = 0; g < groups().size(); ++g) {
      for (NodeId n : groups()[g].nodes) {
        const Node& node = h_.graph.node(n);
        for (std::size_t j = 0; j < node.params.size() && h_.blocks[g] > 0; ++j) {
          if (!has_nets(node.params[j])) continue;
          for (std::int32_t b = 0; b < h_.blocks[g]; ++b) {
            const std::int32_t cell = base_cell(GroupId(g), b);
            const Region& region = h_.cells[static_cast<std::size_t>(cell)].region;
            uses[node.params[j].at()].push_back({params_rows(h_.graph, node, region, j), cell});
          }
        }
      }
    }
    return uses;
  }

  void add_parameter_nets() {
    const std::vector<std::vector<Use>> uses = parameter_uses();
    for (std::size_t p = 0; p < uses.size(); ++p) {
      const Range rows{0, h_.graph.params[p].rows()};
      for (const UsedPiece& piece : elementary_pieces({rows}, uses[p])) {
        if (shards() > 1 || piece.users.size() > 1) add_parameter_net(ParamId(p), piece);
      }
    }
  }

  void add_parameter_net(ParamId p, const UsedPiece& piece) {
    const GroupId g = h_.cells[static_cast<std::size_t>(piece.users[0])].group;
    Net net{NetKind::parameter, g, -1, p, piece.range, 0, 0, -1};
    net.elems = piece.range.size() * h_.graph.param(p).row_elems();
    net.cost = 2 * net.elems;
    begin_net(net);
    for (std::int32_t s = 0; s < shards(); ++s) {
      for (std::int32_t user : piece.users) h_.pins.push_back(in_shard(user, s));
    }
  }

  void add_statistics_nets() {
    const auto sharing = static_cast<std::int32_t>(h_.grid.statistics_shards());
    for (std::size_t g = 0; g < groups().size(); ++g) {
      const std::size_t norms = synced_norms(h_.graph, groups()[g], h_.grid).size();
      for (std::size_t norm = 0; norm < norms; ++norm) {
        for (std::int32_t s = 0; s < shards(); s += sharing)
          add_statistics_nets_of(GroupId(g), static_cast<std::int32_t>(norm), s, s + sharing);
      }
    }
  }

  /// One net per channel block, joining the shards [first, last).
  void add_statistics_nets_of(GroupId g, std::int32_t norm, std::int32_t first, std::int32_t last) {
    for (std::int32_t b = 0; b < h_.blocks[g.at()]; ++b) {
      const Range channels = h_.cells[h_.cell(g, first, b).at()].region.c;
      Net net{NetKind::statistics, g, first, ParamId(), channels, 2 * channels.size(), 0, norm};
      net.cost = net.elems * (h_.grouped.group(g).requires_grad ? 4 : 2);
      begin_net(net);
      for (std::int32_t s = first; s < last; ++s) h_.pins.push_back(h_.cell(g, s, b));
    }
  }

  Hypergraph h_;
};

}  // namespace

Hypergraph build_hypergraph(const Graph& graph, const GridSpec& grid) {
  return Builder(graph, grid).build();
}

}  // namespace hpmp
