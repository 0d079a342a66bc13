#include "plan/held_params.h"

namespace hpmp {

HeldParams::HeldParams(const StepModel& model, int ranks)
    : model_(model), ranks_(static_cast<std::size_t>(ranks)) {
  std::size_t blocks = 0;
  for (std::int32_t of_group : model.h.blocks) {
    first_block_.push_back(blocks);
    blocks += static_cast<std::size_t>(of_group);
  }
  held_.resize(blocks * ranks_);
  rows_.resize(ranks_);
  add_fixed();
}

void HeldParams::add_fixed() {
  const Graph& graph = model_.h.graph;
  std::vector<Fixed> by_param(graph.params.size());
  for (std::size_t p = 0; p < graph.params.size(); ++p) {
    const Param& param = graph.params[p];
    const bool learned = model_.h.grid.training && param.trainable && !param.is_state();
    if (!learned) by_param[p].row_bytes = param.row_elems() * (param.is_state() ? 8 : 4);
  }
  for (std::size_t g = 0; g < model_.groups.size(); ++g)
    add_uses(GroupId(static_cast<std::int64_t>(g)), by_param);
  for (Fixed& param : by_param) {
    if (!param.uses.empty()) fixed_.push_back(std::move(param));
  }
}

void HeldParams::add_uses(GroupId g, std::vector<Fixed>& by_param) const {
  const Hypergraph& h = model_.h;
  for (NodeId n : h.grouped.group(g).nodes) {
    const Node& node = h.graph.node(n);
    for (std::size_t j = 0; j < node.params.size(); ++j) {
      Fixed& param = by_param[node.params[j].at()];
      for (std::int32_t b = 0; param.row_bytes > 0 && b < h.blocks[g.at()]; ++b) {
        const Region& region = h.cells[h.cell(g, 0, b).at()].region;
        param.uses.push_back({first_block_[g.at()] + static_cast<std::size_t>(b),
                              params_rows(h.graph, node, region, j)});
      }
    }
  }
}

const std::vector<std::int64_t>& HeldParams::find(const std::vector<Rank>& part,
                                                  const TaskBuilder& builder) {
  bytes_.assign(ranks_, 0);
  add_learned(builder);
  find_blocks(part);
  for (const Fixed& param : fixed_) add(param);
  return bytes_;
}

/// What a rank uses it owns, or is sent after every update.
void HeldParams::add_learned(const TaskBuilder& builder) {
  const std::int64_t arrays = 2 + optimizer_info(model_.h.grid.optimizer).states;
  for (const OwnedParams& owned : builder.owned())
    bytes_[static_cast<std::size_t>(owned.owner)] += arrays * 4 * owned.elems;
  for (const Flow& flow : builder.graph().flows) {
    if (flow.kind == MessageKind::param)
      bytes_[static_cast<std::size_t>(flow.to)] += 2 * 4 * flow.elems;
  }
}

void HeldParams::find_blocks(const std::vector<Rank>& part) {
  std::fill(held_.begin(), held_.end(), 0);
  for (std::size_t c = 0; c < part.size(); ++c) {
    const Cell& cell = model_.h.cells[c];
    const std::size_t block = first_block_[cell.group.at()] + static_cast<std::size_t>(cell.block);
    held_[block * ranks_ + static_cast<std::size_t>(part[c])] = 1;
  }
}

void HeldParams::add(const Fixed& param) {
  for (Ranges& rows : rows_) rows.clear();
  for (const Use& use : param.uses) {
    for (std::size_t r = 0; r < ranks_; ++r) {
      if (held_[use.block * ranks_ + r]) rows_[r].push_back(use.rows);
    }
  }
  for (std::size_t r = 0; r < ranks_; ++r)
    bytes_[r] += total_size(normalized(rows_[r])) * param.row_bytes;
}

}  // namespace hpmp
