#include "planner/columns.h"

#include <limits>

#include "planner/fill.h"

namespace hpmp {
namespace {

using Columns = std::vector<std::int64_t>;

class Arranger {
 public:
  Arranger(Evaluator& evaluator, const Hypergraph& h, int ranks,
           const std::function<bool()>& enough)
      : evaluator_(evaluator), h_(h), ranks_(ranks), enough_(enough) {
    for (std::int64_t d = 1; d <= ranks; ++d) {
      if (ranks % d == 0) divisors_.push_back(d);
    }
  }

  Columns run(std::size_t groups, std::size_t most) {
    best_.assign(groups, 1);
    seconds_ = seconds(best_);
    const std::size_t step = std::max<std::size_t>(1, (groups + most - 1) / most);
    while (!enough_() && improve(step)) {
    }
    return best_;
  }

 private:
  /// From the end, where parameters are many: every change that helps is made at once.
  bool improve(std::size_t step) {
    bool helped = false;
    for (std::size_t at = (best_.size() - 1) / step * step + step; at > 0;) {
      at -= step;
      for (auto columns = divisors_.rbegin(); columns != divisors_.rend(); ++columns) {
        Columns wider = best_, narrower = best_;
        for (std::size_t i = at; i < best_.size(); ++i) wider[i] = std::max(best_[i], *columns);
        for (std::size_t i = 0; i < at; ++i) narrower[i] = std::min(best_[i], *columns);
        helped |= take_if_better(wider);
        helped |= take_if_better(narrower);
      }
    }
    return helped;
  }

  bool take_if_better(const Columns& columns) {
    if (columns == best_ || enough_()) return false;
    const double found = seconds(columns);
    if (!(found < seconds_)) return false;
    seconds_ = found;
    best_ = columns;
    return true;
  }

  double seconds(const Columns& columns) {
    return evaluator_.seconds(in_columns(h_, columns, ranks_), PriorityRule::upward_rank, seconds_);
  }

  Evaluator& evaluator_;
  const Hypergraph& h_;
  int ranks_;
  const std::function<bool()>& enough_;
  std::vector<std::int64_t> divisors_;
  Columns best_;
  double seconds_ = std::numeric_limits<double>::infinity();
};

}  // namespace

std::vector<Rank> in_columns(const Hypergraph& h, const std::vector<std::int64_t>& columns,
                             int ranks) {
  std::vector<Rank> part(h.cells.size(), 0);
  const std::vector<std::size_t> groups = groups_with_cells(h);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::int64_t wide = columns[i], rows = ranks / wide, blocks = h.blocks[groups[i]];
    auto cell = static_cast<std::size_t>(h.first_cell[groups[i]]);
    for (std::int64_t s = 0; s < h.grid.shards; ++s) {
      for (std::int64_t b = 0; b < blocks; ++b)
        part[cell++] = static_cast<Rank>(s * rows / h.grid.shards * wide + b * wide / blocks);
    }
  }
  return part;
}

std::vector<Rank> best_columns(Evaluator& evaluator, const Hypergraph& h, int ranks,
                               std::size_t most, const std::function<bool()>& enough) {
  const std::size_t groups = groups_with_cells(h).size();
  return in_columns(h, Arranger(evaluator, h, ranks, enough).run(groups, most), ranks);
}

}  // namespace hpmp
