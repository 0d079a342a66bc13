#include "plan/bundling.h"

#include <algorithm>
#include <tuple>

#include "plan/instants.h"

namespace hpmp {
namespace {

constexpr double kSmall = 4;  // latencies on the wire, at most, of a message that may join others
constexpr double kMost = 16;  // likewise, of what they are together
constexpr double kSame = 1 + 1e-9;       // times a step: no longer
constexpr std::int64_t kWork = 400'000;  // tasks simulated
constexpr std::int64_t kLeastTrials = 4, kMostTrials = 40;

/// A flow that may travel with others.
struct Waiting {
  std::int32_t flow = 0;
  double ready = 0, wire = 0;
  double used = 0;  // when it is first read
  double late = 0;  // the last moment to send it alone
};

/// Flows of one kind and pair of ranks that would make one message.
struct Bundle {
  std::vector<Waiting> flows;  // by the time they are ready
  double wire = 0;

  bool takes(const Waiting& next, bool params, double latency) const {
    const double all = wire + next.wire;
    if (all > kMost * latency) return false;
    const auto waits = [&](const Waiting& w) {
      const bool together = params || next.ready - w.ready <= latency || w.used == next.used;
      return together && next.ready + all - w.wire <= w.late;
    };
    return waits(next) && std::all_of(flows.begin(), flows.end(), waits);
  }
};

class Bundler {
 public:
  Bundler(const Machine& machine, TaskBuilder& builder, const Schedule& schedule,
          const std::function<bool(const Schedule&)>& fits)
      : machine_(machine), builder_(builder), fits_(fits), scheduler_(machine), best_(schedule) {
    const auto tasks = static_cast<std::int64_t>(builder.graph().tasks.size());
    trials_ = std::clamp(kWork / std::max<std::int64_t>(tasks, 1), kLeastTrials, kMostTrials);
  }

  Schedule run() {
    find();
    accepted_.assign(bundles_.size(), 0);
    if (!bundles_.empty()) accept(0, bundles_.size());
    if (held_ != accepted_) make(accepted_);
    return std::move(best_);
  }

 private:
  /// Grows bundles of what is ready one after the other.
  void find() {
    const TaskGraph& graph = builder_.graph();
    priorities(graph, machine_, PriorityRule::upward_rank, path_);
    std::vector<std::pair<std::tuple<MessageKind, Rank, Rank, double, std::int32_t>, Waiting>> all;
    for (std::int32_t m = 0; m < graph.messages(); ++m) {
      const Flow& flow = graph.lead(m);
      const Waiting w = waiting(m);
      if (is_statistics(flow.kind) || w.wire > kSmall * machine_.link_latency_seconds) continue;
      all.push_back({{flow.kind, flow.from, flow.to, w.ready, m}, w});
    }
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    Bundle open;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Flow& flow = graph.lead(all[i].second.flow);
      const bool same = !open.flows.empty() && joins(graph.lead(open.flows[0].flow), flow);
      if (!same ||
          !open.takes(all[i].second, carries_params(flow.kind), machine_.link_latency_seconds))
        close(open);
      open.flows.push_back(all[i].second);
      open.wire += all[i].second.wire;
    }
    close(open);
  }

  static bool joins(const Flow& a, const Flow& b) {
    return a.kind == b.kind && a.from == b.from && a.to == b.to;
  }

  Waiting waiting(std::int32_t m) const {
    const TaskGraph& graph = builder_.graph();
    const auto i = static_cast<std::size_t>(graph.first_message + m);
    const MessageTimes times = message_times(graph, best_, m);
    const double wire = graph.tasks[i].seconds;
    // Parameters: as if ranks had nothing else to do; the simulation knows better.
    const double late = carries_params(graph.lead(m).kind)
                            ? best_.makespan + path_[i]
                            : times.used - wire - machine_.link_latency_seconds;
    return {m, times.sent, wire, times.used, late};
  }

  void close(Bundle& open) {
    if (open.flows.size() > 1) bundles_.push_back(std::move(open));
    open = {};
  }

  /// Accepts bundles [begin, end), or those of them that can be had.
  void accept(std::size_t begin, std::size_t end) {
    if (trials_-- <= 0) return;
    std::vector<char> tried = accepted_;
    std::fill(tried.begin() + static_cast<std::ptrdiff_t>(begin),
              tried.begin() + static_cast<std::ptrdiff_t>(end), 1);
    make(tried);
    const Schedule& found =
        scheduler_.run(builder_.graph(), best_.rule, kSame * best_.makespan, best_.window);
    if (found.makespan < kSame * best_.makespan && fits_(found)) {
      accepted_ = std::move(tried);
      best_ = found;
    } else if (end - begin > 1) {
      accept(begin, begin + (end - begin) / 2);
      accept(begin + (end - begin) / 2, end);
    }
  }

  /// Messages in the order of their first flows.
  void make(const std::vector<char>& chosen) {
    held_ = chosen;
    Bundles messages(builder_.graph().flows.size());
    for (std::size_t i = 0; i < messages.size(); ++i)
      messages[i].push_back(static_cast<std::int32_t>(i));
    for (std::size_t b = 0; b < bundles_.size(); ++b) {
      if (!chosen[b]) continue;
      std::vector<std::int32_t> flows;
      for (const Waiting& w : bundles_[b].flows) flows.push_back(w.flow);
      std::sort(flows.begin(), flows.end());
      for (std::int32_t flow : flows) messages[static_cast<std::size_t>(flow)].clear();
      messages[static_cast<std::size_t>(flows[0])] = std::move(flows);
    }
    messages.erase(std::remove_if(messages.begin(), messages.end(),
                                  [](const auto& flows) { return flows.empty(); }),
                   messages.end());
    builder_.bundle(messages);
    builder_.linked();
  }

  const Machine& machine_;
  TaskBuilder& builder_;
  const std::function<bool(const Schedule&)>& fits_;
  Scheduler scheduler_;
  Schedule best_;
  std::int64_t trials_ = 0;
  std::vector<double> path_;  // by task, negated: the longest from it to the end
  std::vector<Bundle> bundles_;
  std::vector<char> accepted_, held_;  // by bundle: chosen; in the builder
};

}  // namespace

Schedule bundle_messages(const Machine& machine, TaskBuilder& builder, const Schedule& schedule,
                         const std::function<bool(const Schedule&)>& fits) {
  return Bundler(machine, builder, schedule, fits).run();
}

}  // namespace hpmp
