#include "planner/fill.h"

#include <algorithm>
#include <numeric>

namespace hpmp {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

double cell_work(const StepModel& model, std::size_t g, std::size_t block) {
  const PassSeconds& cell = model.groups[g].cells[block];
  return cell.forward + (model.groups[g].backward ? cell.backward : 0);
}

template <class Visit>
void each_cell(const StepModel& model, std::size_t g, Visit&& visit) {
  auto cell = at(model.h.first_cell[g]);
  for (std::int32_t s = 0; s < model.h.grid.shards; ++s) {
    for (std::int32_t b = 0; b < model.h.blocks[g]; ++b) visit(cell++, s, b);
  }
}

/// Work of every rank outside the run, and of one shard of the run.
struct Work {
  std::vector<double> outside;
  double shard = 0;
};

Work work_around(const StepModel& model, const std::vector<std::size_t>& groups,
                 const std::vector<Rank>& part, GroupRun run, int ranks) {
  Work work{std::vector<double>(at(ranks), 0), 0};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::size_t g = groups[i];
    const bool inside = i >= run.begin && i < run.end;
    each_cell(model, g, [&](std::size_t cell, std::int32_t s, std::int32_t b) {
      if (!inside) {
        work.outside[at(part[cell])] += cell_work(model, g, at(b));
      } else if (s == 0) {
        work.shard += cell_work(model, g, at(b));
      }
    });
  }
  return work;
}

/// Shards for each rank of `over`: water poured on what they do already.
std::vector<std::int64_t> quotas(const StepModel& model, const Work& work,
                                 const std::vector<Rank>& over) {
  const auto shards = model.h.grid.shards;
  std::vector<std::int64_t> quota(over.size(), 0);
  for (std::int64_t s = 0; s < shards; ++s) {
    std::size_t best = 0;
    double least = 0;
    for (std::size_t k = 0; k < over.size(); ++k) {
      const double load =
          work.outside[at(over[k])] + work.shard * static_cast<double>(quota[k] + 1);
      const double level = load / model.machine.speed(over[k]);
      if (k == 0 || level < least) best = k, least = level;
    }
    ++quota[best];
  }
  return quota;
}

/// By shard: the rank that holds most of the groups beside the run, or -1.
std::vector<Rank> neighbours(const StepModel& model, const std::vector<std::size_t>& groups,
                             const std::vector<Rank>& part, GroupRun run, int ranks) {
  const auto shards = at(model.h.grid.shards);
  std::vector<int> held(shards * at(ranks), 0);
  const auto look = [&](std::size_t g) {
    each_cell(model, g, [&](std::size_t cell, std::int32_t s, std::int32_t) {
      ++held[at(s) * at(ranks) + at(part[cell])];
    });
  };
  if (run.end < groups.size()) look(groups[run.end]);
  if (run.end == groups.size() && run.begin > 0) look(groups[run.begin - 1]);
  std::vector<Rank> most(shards, -1);
  for (std::size_t s = 0; s < shards; ++s) {
    const auto first = held.begin() + static_cast<std::ptrdiff_t>(s * at(ranks));
    const auto best = std::max_element(first, first + ranks);
    if (*best > 0) most[s] = static_cast<Rank>(best - first);
  }
  return most;
}

}  // namespace

std::vector<std::size_t> groups_with_cells(const Hypergraph& h) {
  std::vector<std::size_t> groups;
  for (std::size_t g = 0; g < h.blocks.size(); ++g) {
    if (h.blocks[g] > 0) groups.push_back(g);
  }
  return groups;
}

std::vector<Rank> fill_shards(const StepModel& model, const std::vector<std::size_t>& groups,
                              const std::vector<Rank>& part, GroupRun run,
                              const std::vector<Rank>& over, int ranks) {
  std::vector<std::int64_t> quota =
      quotas(model, work_around(model, groups, part, run, ranks), over);
  const std::vector<Rank> near = neighbours(model, groups, part, run, ranks);
  std::vector<Rank> result(near.size(), -1);
  for (std::size_t s = 0; s < near.size(); ++s) {
    for (std::size_t k = 0; k < over.size(); ++k) {
      if (over[k] != near[s] || quota[k] == 0) continue;
      result[s] = over[k];
      --quota[k];
    }
  }
  std::size_t k = 0;
  for (Rank& r : result) {
    if (r >= 0) continue;
    while (quota[k] == 0) ++k;
    r = over[k];
    --quota[k];
  }
  return result;
}

std::vector<std::vector<Rank>> two_segments(const StepModel& model, int ranks, std::size_t most) {
  const Hypergraph& h = model.h;
  const std::vector<std::size_t> groups = groups_with_cells(h);
  std::vector<Rank> all(at(ranks));
  std::iota(all.begin(), all.end(), 0);
  const std::size_t step = std::max<std::size_t>(1, groups.size() / std::max<std::size_t>(most, 1));
  std::vector<std::vector<Rank>> found;
  const auto add = [&](std::size_t cut, std::int64_t few, bool by_block) {
    std::vector<Rank> part(h.cells.size(), 0);
    for (std::size_t i = cut; i < groups.size(); ++i) {
      const std::size_t g = groups[i];
      each_cell(model, g, [&](std::size_t cell, std::int32_t s, std::int32_t b) {
        const std::int64_t k = by_block ? b * few / h.blocks[g] : s * few / h.grid.shards;
        part[cell] = static_cast<Rank>(ranks - few + k);
      });
    }
    const std::vector<Rank> shards = fill_shards(model, groups, part, {0, cut}, all, ranks);
    for (std::size_t i = 0; i < cut; ++i) {
      each_cell(model, groups[i], [&](std::size_t cell, std::int32_t s, std::int32_t) {
        part[cell] = shards[at(s)];
      });
    }
    found.push_back(std::move(part));
  };
  for (std::size_t cut = step; cut < groups.size(); cut += step) {
    for (std::int64_t few = 1; few <= ranks;
         few = few < ranks ? std::min<std::int64_t>(2 * few, ranks) : ranks + 1) {
      if (few < ranks && few <= h.grid.shards) add(cut, few, false);
      if (few > 1) add(cut, few, true);
    }
  }
  return found;
}

}  // namespace hpmp
