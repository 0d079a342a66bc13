#include "planner/moves.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace hpmp {

Mover::Mover(const StepModel& model, int ranks, const std::vector<std::vector<Rank>>& sources,
             std::uint64_t seed)
    : model_(model),
      h_(model.h),
      ranks_(ranks),
      sources_(sources),
      random_(seed),
      groups_(groups_with_cells(model.h)) {
  std::fill(std::begin(tried_), std::end(tried_), 20.0);
  std::fill(std::begin(helped_), std::end(helped_), 2.0);
}

bool Mover::propose(std::vector<Rank>& part, const std::vector<Evaluator::Load>& loads) {
  changes_.clear();
  kind_ = pick_kind();
  const Rank busy = pick_rank(loads, std::greater<double>());
  const Rank idle = pick_rank(loads, std::less<double>());
  switch (kind_) {
    case move_shards:
      do_move_shards(part, busy, idle);
      break;
    case swap_shards:
      do_swap_shards(part, busy, idle);
      break;
    case spread:
      do_spread(part);
      break;
    case grow:
      do_grow(part);
      break;
    case splice:
      do_splice(part);
      break;
    case fill:
      do_fill(part);
      break;
    case move_blocks:
      do_move_blocks(part, idle);
      break;
    default:
      do_relabel(part, busy, idle);
  }
  return !changes_.empty();
}

void Mover::undo(std::vector<Rank>& part) const {
  for (const Change& change : changes_) part[change.cell] = change.before;
}

void Mover::reward(bool accepted) {
  tried_[kind_] = 0.998 * tried_[kind_] + 1;
  helped_[kind_] = 0.998 * helped_[kind_] + (accepted ? 1 : 0);
}

/// By the share of tries that helped, with a floor for all.
Mover::Kind Mover::pick_kind() {
  double weight[kKinds], sum = 0;
  for (int k = 0; k < kKinds; ++k) sum += weight[k] = 0.01 + helped_[k] / tried_[k];
  double at = random_.unit() * sum;
  for (int k = 0; k < kKinds - 1; ++k) {
    at -= weight[k];
    if (at < 0) return static_cast<Kind>(k);
  }
  return static_cast<Kind>(kKinds - 1);
}

/// Short runs are likelier than long ones; some reach the end of the network, and some are just the
/// groups of one resolution.
Mover::Run Mover::pick_run() {
  const double u = random_.unit(), kind = random_.unit();
  const std::size_t count = groups_.size();
  const auto length = 1 + static_cast<std::size_t>(static_cast<double>(count) * u * u * u);
  const std::size_t begin = random_.below(count);
  if (kind < 0.15) return {count - length, count};
  if (kind < 0.3) return stage_of(begin);
  return {begin, std::min(count, begin + length)};
}

Mover::Run Mover::stage_of(std::size_t position) const {
  const auto rows = [&](std::size_t i) { return h_.grouped.groups[groups_[i]].shape.h; };
  Run run{position, position + 1};
  while (run.begin > 0 && rows(run.begin - 1) == rows(position)) --run.begin;
  while (run.end < groups_.size() && rows(run.end) == rows(position)) ++run.end;
  return run;
}

Mover::Span Mover::pick_shards() {
  const auto shards = static_cast<std::size_t>(h_.grid.shards);
  const std::size_t begin = random_.below(shards);
  std::size_t length = 1;
  while (begin + length < shards && random_.unit() < 0.4) ++length;
  return {static_cast<std::int32_t>(begin), static_cast<std::int32_t>(begin + length)};
}

/// Half of the time the first by `before`, else any.
template <class Before>
Rank Mover::pick_rank(const std::vector<Evaluator::Load>& loads, Before&& before) {
  const auto any = static_cast<Rank>(random_.below(static_cast<std::size_t>(ranks_)));
  if (random_.unit() < 0.5) return any;
  const auto first =
      std::min_element(loads.begin(), loads.end(),
                       [&](const auto& x, const auto& y) { return before(x.most(), y.most()); });
  return static_cast<Rank>(first - loads.begin());
}

/// All ranks, or an aligned part of them, or any; mostly ascending.
std::vector<Rank> Mover::pick_ranks() {
  const auto all = static_cast<std::size_t>(ranks_);
  std::vector<Rank> order = random_.permutation(all);
  const double kind = random_.unit();
  if (kind < 0.7) std::sort(order.begin(), order.end());
  if (kind < 0.3) return order;
  if (kind < 0.6) {
    std::size_t size = all;
    while (size > 1 && size % 2 == 0 && random_.unit() < 0.6) size /= 2;
    const std::size_t first = random_.below(all / size) * size;
    return {order.begin() + static_cast<std::ptrdiff_t>(first),
            order.begin() + static_cast<std::ptrdiff_t>(first + size)};
  }
  order = random_.permutation(all);
  order.resize(1 + random_.below(all));
  if (kind < 0.9) std::sort(order.begin(), order.end());
  return order;
}

void Mover::set(std::vector<Rank>& part, std::size_t cell, Rank r) {
  if (part[cell] == r) return;
  changes_.push_back({cell, part[cell]});
  part[cell] = r;
}

template <class Visit>
void Mover::each(Run run, Visit&& visit) const {
  for (std::size_t i = run.begin; i < run.end; ++i) {
    const std::size_t g = groups_[i];
    auto cell = static_cast<std::size_t>(h_.first_cell[g]);
    for (std::int32_t s = 0; s < h_.grid.shards; ++s) {
      for (std::int32_t b = 0; b < h_.blocks[g]; ++b) visit(cell++, g, s, b);
    }
  }
}

void Mover::do_move_shards(std::vector<Rank>& part, Rank from, Rank to) {
  const Span shards = pick_shards();
  const bool everything = random_.unit() < 0.3;
  each(pick_run(), [&](std::size_t cell, std::size_t, std::int32_t s, std::int32_t) {
    if (s >= shards.begin && s < shards.end && (everything || part[cell] == from))
      set(part, cell, to);
  });
}

void Mover::do_swap_shards(std::vector<Rank>& part, Rank a, Rank b) {
  const Span one = pick_shards(), other = pick_shards();
  each(pick_run(), [&](std::size_t cell, std::size_t, std::int32_t s, std::int32_t) {
    const bool first = s >= one.begin && s < one.end, second = s >= other.begin && s < other.end;
    if (first && !second && part[cell] == a) {
      set(part, cell, b);
    } else if (second && !first && part[cell] == b) {
      set(part, cell, a);
    }
  });
}

/// A run evenly over some ranks: shards over rows of them, channels within a row.
void Mover::do_spread(std::vector<Rank>& part) {
  const std::vector<Rank> over = pick_ranks();
  const auto count = static_cast<std::int64_t>(over.size());
  const std::int64_t rows = pick_divisor(count), columns = count / rows;
  each(pick_run(), [&](std::size_t cell, std::size_t g, std::int32_t s, std::int32_t b) {
    const std::int64_t i = s * rows / h_.grid.shards * columns + b * columns / h_.blocks[g];
    set(part, cell, over[static_cast<std::size_t>(i)]);
  });
}

/// Of `value`: itself or 1 half of the time, else any.
std::int64_t Mover::pick_divisor(std::int64_t value) {
  const double kind = random_.unit();
  if (kind < 0.35) return value;
  if (kind < 0.5) return 1;
  std::int64_t divisor =
      1 + static_cast<std::int64_t>(random_.below(static_cast<std::size_t>(value)));
  while (value % divisor != 0) --divisor;
  return divisor;
}

/// A run by shards over some ranks, more for those that do little outside of it.
void Mover::do_fill(std::vector<Rank>& part) {
  const Run run = pick_run();
  const std::vector<Rank> over = pick_ranks();
  const std::vector<Rank> shards = fill_shards(model_, groups_, part, run, over, ranks_);
  each(run, [&](std::size_t cell, std::size_t, std::int32_t s, std::int32_t) {
    set(part, cell, shards[static_cast<std::size_t>(s)]);
  });
}

/// A run takes the placement of the group before or behind it.
void Mover::do_grow(std::vector<Rank>& part) {
  const Run run = pick_run();
  const bool forward = run.end == groups_.size() || (run.begin > 0 && random_.unit() < 0.5);
  if (forward && run.begin == 0) return;
  const std::size_t model = groups_[forward ? run.begin - 1 : run.end];
  const auto first = static_cast<std::size_t>(h_.first_cell[model]);
  each(run, [&](std::size_t cell, std::size_t g, std::int32_t s, std::int32_t b) {
    const std::int64_t block = static_cast<std::int64_t>(b) * h_.blocks[model] / h_.blocks[g];
    set(part, cell, part[first + static_cast<std::size_t>(s * h_.blocks[model] + block)]);
  });
}

/// A run takes the placement of another candidate, mostly with its ranks named to match.
void Mover::do_splice(std::vector<Rank>& part) {
  if (sources_.empty()) return;
  const std::vector<Rank>& source = sources_[random_.below(sources_.size())];
  std::vector<Rank> name(static_cast<std::size_t>(ranks_));
  std::iota(name.begin(), name.end(), 0);
  if (random_.unit() < 0.6) name = matching(part, source);
  each(pick_run(), [&](std::size_t cell, std::size_t, std::int32_t, std::int32_t) {
    set(part, cell, name[static_cast<std::size_t>(source[cell])]);
  });
}

/// For every rank of `source` the rank of `part` that shares most cells with it, each used once.
std::vector<Rank> Mover::matching(const std::vector<Rank>& part,
                                  const std::vector<Rank>& source) const {
  const auto count = static_cast<std::size_t>(ranks_);
  std::vector<std::int64_t> shared(count * count, 0);
  for (std::size_t i = 0; i < part.size(); ++i) {
    shared[static_cast<std::size_t>(source[i]) * count + static_cast<std::size_t>(part[i])] +=
        h_.cells[i].weight;
  }
  std::vector<Rank> name(count, -1);
  std::vector<char> used(count, 0);
  for (std::size_t round = 0; round < count; ++round) {
    std::int64_t most = -1;
    std::size_t from = 0, to = 0;
    for (std::size_t a = 0; a < count; ++a) {
      for (std::size_t b = 0; b < count; ++b) {
        if (name[a] < 0 && !used[b] && shared[a * count + b] > most)
          most = shared[a * count + b], from = a, to = b;
      }
    }
    name[from] = static_cast<Rank>(to);
    used[to] = 1;
  }
  return name;
}

/// A share of the channels of a run, in some or all shards.
void Mover::do_move_blocks(std::vector<Rank>& part, Rank to) {
  const double low = random_.unit(), high = low + random_.unit() * (1 - low);
  Span shards{0, static_cast<std::int32_t>(h_.grid.shards)};
  if (random_.unit() < 0.4) shards = pick_shards();
  each(pick_run(), [&](std::size_t cell, std::size_t g, std::int32_t s, std::int32_t b) {
    const double at = (b + 0.5) / h_.blocks[g];
    if (at >= low && at < high && s >= shards.begin && s < shards.end) set(part, cell, to);
  });
}

/// Two ranks change places in a run.
void Mover::do_relabel(std::vector<Rank>& part, Rank a, Rank b) {
  each(pick_run(), [&](std::size_t cell, std::size_t, std::int32_t, std::int32_t) {
    if (part[cell] == a) {
      set(part, cell, b);
    } else if (part[cell] == b) {
      set(part, cell, a);
    }
  });
}

}  // namespace hpmp
