#include "plan/holders.h"

#include <algorithm>

namespace hpmp {
namespace {

void add_holder(const StepModel& model, GroupId g, std::int32_t s, const std::vector<Rank>& part,
                std::vector<Holder>& list) {
  const std::vector<PassSeconds>& cells = model.groups[g.at()].cells;
  const std::size_t first = list.size();
  const std::size_t cell = cells.empty() ? 0 : model.h.cell(g, s, 0).at();
  std::size_t last = first;  // neighbouring blocks mostly share a rank
  for (std::size_t b = 0; b < cells.size(); ++b) {
    const Rank r = part[cell + b];
    if (last >= list.size() || list[last].rank != r) {
      last = first;
      while (last < list.size() && list[last].rank != r) ++last;
      if (last == list.size()) list.push_back({r, {}});
    }
    list[last].seconds += cells[b];
  }
  std::sort(list.begin() + static_cast<std::ptrdiff_t>(first), list.end(),
            [](const Holder& a, const Holder& b) { return a.rank < b.rank; });
}

}  // namespace

std::int32_t Holders::find(GroupId g, std::int32_t s, Rank r) const {
  const auto first = list.begin() + begin[at(g, s)], last = list.begin() + begin[at(g, s) + 1];
  const auto it = std::lower_bound(
      first, last, r, [](const Holder& holder, Rank rank) { return holder.rank < rank; });
  return it == last || it->rank != r ? -1 : static_cast<std::int32_t>(it - list.begin());
}

void find_holders(const StepModel& model, const std::vector<Rank>& part, Holders& out) {
  out.shards = static_cast<std::int32_t>(model.h.grid.shards);
  out.begin.clear();
  out.list.clear();
  for (std::size_t g = 0; g < model.groups.size(); ++g) {
    for (std::int32_t s = 0; s < out.shards; ++s) {
      out.begin.push_back(static_cast<std::int32_t>(out.list.size()));
      add_holder(model, GroupId(static_cast<std::int64_t>(g)), s, part, out.list);
    }
  }
  out.begin.push_back(static_cast<std::int32_t>(out.list.size()));
}

void append_ranks(const Hypergraph& h, const std::vector<CellId>& cells, std::int32_t s,
                  const std::vector<Rank>& part, std::vector<Rank>& out) {
  const auto first = static_cast<std::ptrdiff_t>(out.size());
  for (CellId base : cells) {
    const GroupId g = h.cells[base.at()].group;
    const Rank r = part[base.at() + static_cast<std::size_t>(s * h.blocks[g.at()])];
    if (std::find(out.begin() + first, out.end(), r) == out.end()) out.push_back(r);
  }
  std::sort(out.begin() + first, out.end());
}

}  // namespace hpmp
