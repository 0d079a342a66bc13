// Whether the statistics that shards share reach every rank that needs them, each part once.
#include "hypergraph/stages.h"
#include "plan/checks.h"

namespace hpmp {
namespace {

/// One exchange between the ranks that hold one group in the shards from `shard` on.
struct Exchange {
  GroupId group;
  std::int32_t shard = 0;
  bool backward = false;
  std::int32_t stage = 0;
};

class StatisticsCheck : PlanCheck {
 public:
  using PlanCheck::PlanCheck;

  void run() const {
    const auto sharing = static_cast<std::int32_t>(plan_.grid.statistics_shards());
    for (std::size_t g = 0; g < grouped_.groups.size() && sharing > 1; ++g) {
      const Group& group = grouped_.groups[g];
      const auto norms = static_cast<std::int32_t>(synced_norms(graph_, group, plan_.grid).size());
      const GroupId id(static_cast<std::int64_t>(g));
      for (std::int32_t s = 0; s < plan_.grid.shards; s += sharing) {
        for (std::int32_t x = 0; x < norms; ++x) {
          check({id, s, false, x});
          if (group.requires_grad) check({id, s, true, x});
        }
      }
    }
  }

 private:
  /// Channels of a rank: those that it sends no part of are its own to sum.
  struct Held {
    Ranges own, parts, sums;
  };

  void check(const Exchange& exchange) const {
    const std::vector<Held> held = held_by_rank(exchange);
    Ranges owned;
    for (const Held& h : held) {
      const bool twice = !intersect(owned, h.own).empty();
      if (twice || h.sums != h.parts) reject_exchange(exchange);
      owned.insert(owned.end(), h.own.begin(), h.own.end());
      owned = normalized(std::move(owned));
    }
    for (const Message& m : plan_.messages) {
      if (!belongs(m, exchange)) continue;
      const Rank owner = is_partial(m.kind) ? m.to : m.from;
      const Ranges& own = held[static_cast<std::size_t>(owner)].own;
      for (const Piece& p : m.lead().pieces) {
        if (!subtract({p.range}, own).empty()) reject_exchange(exchange);
      }
    }
  }

  std::vector<Held> held_by_rank(const Exchange& exchange) const {
    std::vector<Held> held(static_cast<std::size_t>(plan_.ranks));
    for (const Message& m : plan_.messages) {
      if (!belongs(m, exchange)) continue;
      const bool part = is_partial(m.kind);
      Held& other = held[static_cast<std::size_t>(part ? m.from : m.to)];
      for (const Piece& p : m.lead().pieces)
        add(exchange, p.range, part ? other.parts : other.sums);
    }
    for (Rank r = 0; r < plan_.ranks; ++r) {
      Held& h = held[static_cast<std::size_t>(r)];
      const Ranges all = channels(exchange, r);
      if (!subtract(h.parts, all).empty()) reject_exchange(exchange);
      h.own = subtract(all, h.parts);
    }
    return held;
  }

  void add(const Exchange& exchange, Range range, Ranges& to) const {
    if (!intersect(to, {range}).empty()) reject_exchange(exchange);
    to.push_back(range);
    to = normalized(std::move(to));
  }

  static bool belongs(const Message& m, const Exchange& exchange) {
    const Letter& l = m.lead();
    return is_statistics(m.kind) && l.group == exchange.group && l.shard == exchange.shard &&
           l.stage == exchange.stage && is_backward(m.kind) == exchange.backward;
  }

  Ranges channels(const Exchange& exchange, Rank r) const {
    Ranges all;
    for (const OwnedChannels& t : program(r).tasks) {
      if (t.group == exchange.group && plan_.grid.first_sharing(t.shard) == exchange.shard)
        all.insert(all.end(), t.channels.begin(), t.channels.end());
    }
    return normalized(std::move(all));
  }

  [[noreturn]] void reject_exchange(const Exchange& exchange) const {
    fail(ErrorCode::invalid_plan,
         "group '" + graph_.node(grouped_.group(exchange.group).nodes[0]).name + "' shard " +
             std::to_string(exchange.shard) + ": its " +
             (exchange.backward ? "backward" : "forward") + " exchange of statistics after stage " +
             std::to_string(exchange.stage) +
             " does not add every rank's part once and give the sum to each");
  }
};

}  // namespace

void check_statistics(const Graph& graph, const GroupedGraph& grouped, const Plan& plan) {
  StatisticsCheck(graph, grouped, plan).run();
}

}  // namespace hpmp
