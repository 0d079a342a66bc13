#include "partition/starts.h"

#include <algorithm>

namespace hpmp {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// A run of groups and the parts [first, end) that share it.
struct Stage {
  std::int32_t first_group = 0, end_group = 0;
  Rank first_part = 0, end_part = 0;
  bool by_block = false;

  int width() const { return end_part - first_part; }
};

class HybridStart {
 public:
  HybridStart(const KwayProblem& problem, const GridShape& shape,
              const std::vector<GridPosition>& position, Random& random)
      : p_(problem), shape_(shape), position_(position), random_(random), room_(problem.capacity) {
    group_weight_.assign(at(shape.groups), 0);
    for (std::size_t v = 0; v < p_.vertices(); ++v) {
      group_weight_[at(position[v].group)] += p_.weight[v];
    }
    holder_.assign(at(shape.groups), {});
  }

  std::vector<Rank> make() {
    cut_into_stages();
    choose_parts();
    // Narrow stages first: they have the least choice, and the wide ones even out what is left.
    std::vector<std::size_t> order(stages_.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return stages_[a].width() < stages_[b].width();
    });
    for (std::size_t i : order) deal(i);
    return parts();
  }

 private:
  void cut_into_stages() {
    const std::size_t count = 1 + random_.below(4);
    std::vector<std::int32_t> cuts{0, shape_.groups};
    for (std::size_t i = 1; i < count; ++i) cuts.push_back(random_cut());
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
      stages_.push_back({cuts[i], cuts[i + 1], 0, p_.parts, random_.below(8) == 0});
    }
  }

  std::int32_t random_cut() {
    return static_cast<std::int32_t>(random_.below(at(shape_.groups) + 1));
  }

  /// Parts narrow towards the tail, towards the head, or follow one another as in a pipeline.
  void choose_parts() {
    const std::size_t kind = random_.below(8);
    Rank first = 0, end = p_.parts;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      Stage& stage = kind == 6 ? stages_[stages_.size() - 1 - i] : stages_[i];
      if (kind == 7) {
        first = static_cast<Rank>(random_.below(at(p_.parts)));
        end = first + 1 + static_cast<Rank>(random_.below(at(p_.parts - first)));
      } else if (i > 0 && end - first > 1) {
        first += static_cast<Rank>(random_.below(at(end - first)));
      }
      stage.first_part = first;
      stage.end_part = end;
    }
  }

  std::int64_t weight_of(const Stage& stage) const {
    std::int64_t weight = 0;
    for (std::int32_t g = stage.first_group; g < stage.end_group; ++g)
      weight += group_weight_[at(g)];
    return weight;
  }

  /// How much of the stage each of its parts takes: all are filled to one level, as water is.
  std::vector<double> filled(const Stage& stage, std::int64_t weight) const {
    const auto first = room_.begin() + stage.first_part, end = room_.begin() + stage.end_part;
    std::vector<double> rooms(first, end);
    std::sort(rooms.begin(), rooms.end(), [](double a, double b) { return a > b; });
    double level = 0, sum = 0;
    for (std::size_t n = 0; n < rooms.size(); ++n) {
      sum += rooms[n];
      level = (sum - static_cast<double>(weight)) / static_cast<double>(n + 1);
      if (n + 1 == rooms.size() || level >= rooms[n + 1]) break;
    }
    std::vector<double> take;
    for (auto r = first; r != end; ++r)
      take.push_back(std::max(0.0, static_cast<double>(*r) - level));
    return take;
  }

  /// Whole slots (shards or blocks) for each part, by cumulative rounding.
  static std::vector<std::int32_t> slots(const std::vector<double>& take, std::int32_t count) {
    double total = 0, before = 0;
    for (double t : take) total += t;
    std::vector<std::int32_t> out;
    std::int32_t given = 0;
    for (double t : take) {
      before += t;
      const double exact = total > 0 ? before / total * count : count;
      const auto upto = static_cast<std::int32_t>(exact + 0.5);
      out.push_back(std::min(upto, count) - given);
      given = std::min(upto, count);
    }
    out.back() += count - given;
    return out;
  }

  void deal(std::size_t i) {
    const Stage& stage = stages_[i];
    const std::int64_t weight = weight_of(stage);
    const std::vector<double> take = filled(stage, weight);
    const std::vector<std::int32_t> quota = slots(take, shape_.shards);
    for (std::size_t r = 0; r < quota.size(); ++r) {
      room_[at(stage.first_part) + r] -=
          static_cast<std::int64_t>(static_cast<double>(weight) * quota[r] / shape_.shards);
    }
    const std::vector<Rank> holder = dealt_shards(stage, quota, neighbour_holder(i));
    for (std::int32_t g = stage.first_group; g < stage.end_group; ++g) holder_[at(g)] = holder;
  }

  /// Holders of the shards in a stage beside this one that is already dealt; empty if none is.
  std::vector<Rank> neighbour_holder(std::size_t i) const {
    if (i + 1 < stages_.size()) {
      const auto& after = holder_[at(stages_[i + 1].first_group)];
      if (!after.empty()) return after;
    }
    return i > 0 ? holder_[at(stages_[i - 1].first_group)] : std::vector<Rank>();
  }

  /// Parts keep the shards that they hold next door as far as their quota goes; the rest in order.
  std::vector<Rank> dealt_shards(const Stage& stage, std::vector<std::int32_t> quota,
                                 const std::vector<Rank>& beside) const {
    std::vector<Rank> holder(at(shape_.shards), -1);
    for (std::size_t s = 0; s < beside.size(); ++s) {
      const Rank r = beside[s] - stage.first_part;
      if (r < 0 || r >= stage.width() || quota[at(r)] == 0) continue;
      --quota[at(r)];
      holder[s] = beside[s];
    }
    std::size_t r = 0;
    for (Rank& h : holder) {
      if (h >= 0) continue;
      while (r + 1 < quota.size() && quota[r] == 0) ++r;
      --quota[r];
      h = stage.first_part + static_cast<Rank>(r);
    }
    return holder;
  }

  std::vector<Rank> parts() const {
    std::vector<Rank> part(p_.vertices());
    for (const Stage& stage : stages_) {
      for (std::size_t v = 0; v < part.size(); ++v) {
        const GridPosition& at_v = position_[v];
        if (at_v.group < stage.first_group || at_v.group >= stage.end_group) continue;
        part[v] = holder_[at(at_v.group)][at(at_v.shard)];
        if (stage.by_block && at_v.blocks >= stage.width()) {
          part[v] = stage.first_part + at_v.block * stage.width() / at_v.blocks;
        }
      }
    }
    for (std::size_t v = 0; v < part.size(); ++v) {
      if (p_.fixed[v] >= 0) part[v] = p_.fixed[v];
    }
    return part;
  }

  const KwayProblem& p_;
  GridShape shape_;
  const std::vector<GridPosition>& position_;
  Random& random_;
  std::vector<std::int64_t> room_;          // by part: capacity not yet dealt
  std::vector<std::int64_t> group_weight_;  // by group
  std::vector<Stage> stages_;
  std::vector<std::vector<Rank>> holder_;  // by group: part of each shard
};

}  // namespace

std::vector<Rank> hybrid_start(const KwayProblem& problem, const GridShape& shape,
                               const std::vector<GridPosition>& position, Random& random) {
  return HybridStart(problem, shape, position, random).make();
}

}  // namespace hpmp
