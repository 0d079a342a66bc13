// List scheduling of a task graph: when each task and message runs, under one priority rule.
#pragma once

#include <limits>
#include <vector>

#include "plan/priority.h"
#include "plan/window.h"

namespace hpmp {

struct Schedule {
  /// By task; seconds. A message starts when its content is ready, and ends when it has arrived.
  std::vector<double> start, end;
  double makespan = 0;
  double busy = 0;  // compute seconds, all ranks
  PriorityRule rule = PriorityRule::one_f_one_b;
  int window = 0;  // as given to Scheduler::run
};

/// Ranks run one task at a time; each rank's link carries one message at a time in each direction,
/// and of the messages whose two ends are free the first by priority goes.
/// Keeps its memory from one schedule to the next.
class Scheduler {
 public:
  explicit Scheduler(const Machine& machine) : machine_(machine) {}

  /// Ends early, with an infinite makespan, once it is sure to reach `limit`.
  /// window: shards that a rank may have under way at once, 0 for any number.
  /// Valid until the next call.
  const Schedule& run(const TaskGraph& graph, PriorityRule rule,
                      double limit = std::numeric_limits<double>::infinity(), int window = 0);

 private:
  struct Event {
    double at;
    std::int32_t task;
    bool link;  // the ends of a message's link are free again

    bool operator>(const Event& o) const {
      return at != o.at ? at > o.at : task != o.task ? task > o.task : link < o.link;
    }
  };
  /// Smallest key first.
  using Queue = std::vector<std::pair<double, std::int32_t>>;
  struct Channel {
    Rank from, to;
    Queue waiting;
  };
  struct End {  // of a rank's link, in one direction
    bool free = true;
    std::vector<std::int32_t> channels;
  };

  void reset(const TaskGraph& graph, PriorityRule rule, int window);
  void find_channels();
  void make_ready(std::int32_t i, double now);
  void finish(std::int32_t i, double now);
  void queue(std::int32_t i);
  void start_task(Rank r, double now);
  void start_messages(End& end, double now);
  bool start_best(End& end, double now);
  void add_event(double at, std::int32_t task, bool link);
  void take(const Event& event);

  const Machine& machine_;
  const TaskGraph* graph_ = nullptr;
  std::vector<double> key_;
  std::vector<std::int32_t> waits_;
  Window window_;
  std::vector<Queue> ready_;  // by rank
  std::vector<char> idle_;
  std::vector<Rank> woken_;  // became idle or got a ready task at this instant
  std::vector<Channel> channels_;
  std::vector<std::int32_t> channel_of_;  // by message
  std::vector<End> out_, in_;             // by rank
  std::vector<Event> events_;
  Schedule result_;
};

/// Share of the ranks' time that is not compute; 0 for a step that takes none.
double bubble_fraction(const Schedule& schedule, int ranks);

/// The shortest of all rules; ties to the first.
Schedule best_schedule(const TaskGraph& graph, const Machine& machine);

}  // namespace hpmp
