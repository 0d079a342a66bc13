// Which forward tasks to run a second time, so that a step keeps its memory at the least cost.
#pragma once

#include <set>
#include <utility>

#include "plan/footprint.h"
#include "plan/schedule.h"

namespace hpmp {

/// A schedule with groups, by group x ranks, whose forward tasks run twice; see TaskBuilder::redo.
struct RedoneSchedule {
  Schedule schedule;
  std::vector<char> groups;
  std::int64_t bytes = 0;  // of the rank that needs most

  /// Keeps the goal in less time than the other or, where that does not, needs less.
  bool better_than(const RedoneSchedule& other, std::int64_t goal) const;
};

/// Looks for them under one priority rule and window after the other.
class RedoSearch {
 public:
  /// builder: holds the placement. footprint: of the same model. goal: bytes of a rank.
  RedoSearch(const Machine& machine, const std::vector<Rank>& part, TaskBuilder& builder,
             Footprint& footprint, std::int64_t goal);

  /// Makes `best` better, if it can, with a schedule under `rule` and `window`.
  void improve(RedoneSchedule& best, PriorityRule rule, int window);

 private:
  /// What one rank may free of a group, and what that costs.
  struct Choice {
    GroupId group;
    std::int64_t bytes = 0;
    double seconds = 0;
  };

  void grow(RedoneSchedule& best, const RedoneSchedule& none, std::int64_t segment_bytes);
  void polish(RedoneSchedule& best);
  bool toggle(RedoneSchedule& best, GroupId g);
  bool add(RedoneSchedule& found, std::int64_t segment_bytes);
  bool add_on(Rank r, std::int64_t excess, std::int64_t segment_bytes, std::vector<char>& groups);
  std::vector<Choice> choices(Rank r, const std::vector<LivePeak::Spare>& spares) const;
  std::int64_t longest_segment(Rank r, const std::vector<char>& groups) const;
  RedoneSchedule simulate(std::vector<char> groups, PriorityRule rule, int window);
  std::size_t at(GroupId g, Rank r) const;

  const Machine& machine_;
  const std::vector<Rank>& part_;
  TaskBuilder& builder_;
  Footprint& footprint_;
  std::int64_t goal_;
  Scheduler scheduler_;
  std::int64_t trials_;
  std::set<std::pair<double, std::int64_t>> seen_;     // makespan and bytes with nothing run again
  std::vector<std::vector<std::int64_t>> task_bytes_;  // by rank and group; see LivePeak::Spare
  std::vector<std::int64_t> rank_bytes_;               // of the last simulation
};

}  // namespace hpmp
