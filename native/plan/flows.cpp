#include "plan/flows.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace hpmp {

void FlowFinder::find(const std::vector<Rank>& part, const Holders& holders) {
  flows_.clear();
  owned_.clear();
  add_activations(part, holders);
  if (!model_.h.grid.training) return;
  add_gradients();
  add_params(part);
  if (model_.h.grid.statistics_shards() > 1) add_statistics(part);
}

void FlowFinder::add_activations(const std::vector<Rank>& part, const Holders& holders) {
  for (std::size_t g = 0; g < model_.groups.size(); ++g) {
    for (std::int32_t s = 0; s < model_.h.grid.shards; ++s)
      add_activations_of(GroupId(static_cast<std::int64_t>(g)), s, part, holders);
  }
}

void FlowFinder::add_activations_of(GroupId g, std::int32_t s, const std::vector<Rank>& part,
                                    const Holders& holders) {
  const StepGroup& group = model_.groups[g.at()];
  if (group.pieces.empty() || on_one_rank(g, s, holders)) return;
  readers_.clear();
  reader_begin_.assign(1, 0);
  for (const std::vector<CellId>& cells : group.readers) {
    append_ranks(model_.h, cells, s, part, readers_);
    reader_begin_.push_back(static_cast<std::int32_t>(readers_.size()));
  }
  const std::size_t cell = model_.h.cell(g, s, 0).at();
  for (const OutputPiece& piece : group.pieces) {
    const Rank from = part[cell + static_cast<std::size_t>(piece.block)];
    const auto readers = static_cast<std::size_t>(piece.readers);
    for (std::int32_t i = reader_begin_[readers]; i < reader_begin_[readers + 1]; ++i) {
      const Rank to = readers_[static_cast<std::size_t>(i)];
      if (to != from) found_.push_back({MessageKind::activation, g, s, from, to, piece.elems});
    }
  }
  flush();
}

/// Whether the output and all that read it are on one rank, so that nothing travels.
bool FlowFinder::on_one_rank(GroupId g, std::int32_t s, const Holders& holders) const {
  const auto only = [&](GroupId of) {
    const std::int32_t first = holders.begin[holders.at(of, s)];
    return holders.begin[holders.at(of, s) + 1] - first == 1
               ? holders.list[static_cast<std::size_t>(first)].rank
               : Rank(-1);
  };
  const Rank here = only(g);
  const std::vector<GroupId>& consumers = model_.groups[g.at()].consumers;
  return here >= 0 && std::all_of(consumers.begin(), consumers.end(),
                                  [&](GroupId c) { return only(c) == here; });
}

void FlowFinder::add_gradients() {
  const std::size_t activations = flows_.size();
  for (std::size_t begin = 0, end; begin < activations; begin = end) {
    const Flow first = flows_[begin];
    for (end = begin;
         end < activations && flows_[end].group == first.group && flows_[end].shard == first.shard;
         ++end) {
      Flow back = flows_[end];
      back.kind = MessageKind::gradient;
      std::swap(back.from, back.to);
      if (model_.groups[back.group.at()].backward) found_.push_back(back);
    }
    flush();
  }
}

std::vector<std::int64_t> FlowFinder::activation_load() const {
  std::vector<std::int64_t> load(static_cast<std::size_t>(ranks_), 0);
  for (const Flow& flow : flows_) {
    if (flow.kind != MessageKind::activation) continue;
    load[static_cast<std::size_t>(flow.from)] += flow.elems;
    load[static_cast<std::size_t>(flow.to)] += flow.elems;
  }
  return load;
}

void FlowFinder::add_params(const std::vector<Rank>& part) {
  readers_.clear();
  reader_begin_.assign(1, 0);
  std::vector<std::int64_t> elems;
  for (const StepParams& params : model_.params) {
    const auto first = static_cast<std::ptrdiff_t>(readers_.size());
    for (std::int32_t s = 0; s < model_.h.grid.shards; ++s)
      append_ranks(model_.h, params.users, s, part, readers_);
    std::sort(readers_.begin() + first, readers_.end());
    readers_.erase(std::unique(readers_.begin() + first, readers_.end()), readers_.end());
    reader_begin_.push_back(static_cast<std::int32_t>(readers_.size()));
    elems.push_back(params.elems);
  }
  const std::vector<Rank> owner = choose_owners(elems, reader_begin_, readers_, activation_load());
  for (std::size_t i = 0; i < owner.size(); ++i) {
    const StepParams& params = model_.params[i];
    owned_.push_back({params.home, owner[i], params.elems});
    for (std::int32_t k = reader_begin_[i]; k < reader_begin_[i + 1]; ++k) {
      const Rank r = readers_[static_cast<std::size_t>(k)];
      if (r == owner[i]) continue;
      found_.push_back({MessageKind::param_gradient, params.home, -1, r, owner[i], params.elems});
      found_.push_back({MessageKind::param, params.home, -1, owner[i], r, params.elems});
    }
  }
  flush();
  join_owned();
}

void FlowFinder::add_statistics(const std::vector<Rank>& part) {
  const auto sharing = static_cast<std::int32_t>(model_.h.grid.statistics_shards());
  for (std::size_t g = 0; g < model_.groups.size(); ++g) {
    if (model_.groups[g].norms() == 0) continue;
    const auto blocks = static_cast<std::int32_t>(model_.groups[g].cells.size());
    for (std::int32_t s = 0; s < model_.h.grid.shards; s += sharing) {
      for (std::int32_t b = 0; b < blocks; ++b)
        add_statistics_of(GroupId(static_cast<std::int64_t>(g)), s, b, part);
    }
  }
  flush();
}

/// The sums of one channel block, over the shards from `first` on.
void FlowFinder::add_statistics_of(GroupId g, std::int32_t first, std::int32_t block,
                                   const std::vector<Rank>& part) {
  const Hypergraph& h = model_.h;
  readers_.clear();
  for (std::int32_t s = first; s < first + h.grid.statistics_shards(); ++s)
    readers_.push_back(part[h.cell(g, s, block).at()]);
  std::sort(readers_.begin(), readers_.end());
  readers_.erase(std::unique(readers_.begin(), readers_.end()), readers_.end());
  const Rank owner = statistics_owner(h.grid, g, first, readers_.data(), readers_.size());
  const StepGroup& group = model_.groups[g.at()];
  const std::int64_t elems = 2 * h.cells[h.cell(g, first, block).at()].region.c.size();
  for (Rank r : readers_) {
    for (std::int32_t x = 0; x < group.norms() && r != owner; ++x) {
      found_.push_back({MessageKind::statistics, g, first, r, owner, elems, x});
      found_.push_back({MessageKind::statistics_sum, g, first, owner, r, elems, x});
      if (!group.backward) continue;
      found_.push_back({MessageKind::gradient_statistics, g, first, r, owner, elems, x});
      found_.push_back({MessageKind::gradient_statistics_sum, g, first, owner, r, elems, x});
    }
  }
}

/// One entry for each home and owner.
void FlowFinder::join_owned() {
  const auto key = [](const OwnedParams& o) { return std::tie(o.home, o.owner); };
  std::sort(owned_.begin(), owned_.end(),
            [&](const OwnedParams& a, const OwnedParams& b) { return key(a) < key(b); });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < owned_.size(); ++i) {
    if (kept > 0 && key(owned_[kept - 1]) == key(owned_[i])) {
      owned_[kept - 1].elems += owned_[i].elems;
    } else {
      owned_[kept++] = owned_[i];
    }
  }
  owned_.resize(kept);
}

/// Moves what was found to the flows, sorted, with everything between two ranks in one.
void FlowFinder::flush() {
  const auto key = [](const Flow& f) {
    return std::tie(f.kind, f.group, f.shard, f.stage, f.from, f.to);
  };
  std::sort(found_.begin(), found_.end(),
            [&](const Flow& a, const Flow& b) { return key(a) < key(b); });
  for (const Flow& flow : found_) {
    if (!flows_.empty() && key(flows_.back()) == key(flow)) {
      flows_.back().elems += flow.elems;
    } else {
      flows_.push_back(flow);
    }
  }
  found_.clear();
}

}  // namespace hpmp
