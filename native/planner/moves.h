// Steps of the search for short step times: each changes the placement of a run of groups.
#pragma once

#include "partition/random.h"
#include "planner/evaluator.h"
#include "planner/fill.h"

namespace hpmp {

/// Proposes changes of a placement and takes them back. Groups are taken in network order, without
/// those that have no cells.
class Mover {
 public:
  /// The model, and `sources`, placements to copy from, must outlive it.
  Mover(const StepModel& model, int ranks, const std::vector<std::vector<Rank>>& sources,
        std::uint64_t seed);

  /// Changes `part` by a move of some kind; false where it would change nothing.
  /// `loads`: of the placement before, to find what is worth changing.
  bool propose(std::vector<Rank>& part, const std::vector<Evaluator::Load>& loads);
  void undo(std::vector<Rank>& part) const;
  /// Kinds of moves that helped before are proposed more often.
  void reward(bool accepted);
  Random& random() { return random_; }

 private:
  enum Kind { move_shards, swap_shards, spread, grow, splice, move_blocks, relabel, fill, kKinds };
  using Run = GroupRun;  // in groups_
  struct Span {
    std::int32_t begin, end;
  };

  Kind pick_kind();
  Run pick_run();
  Run stage_of(std::size_t position) const;
  Span pick_shards();
  std::int64_t pick_divisor(std::int64_t value);
  template <class Before>
  Rank pick_rank(const std::vector<Evaluator::Load>& loads, Before&& before);
  std::vector<Rank> pick_ranks();
  void set(std::vector<Rank>& part, std::size_t cell, Rank r);
  /// Calls visit(cell, group, shard, block) for every cell of the run.
  template <class Visit>
  void each(Run run, Visit&& visit) const;

  void do_move_shards(std::vector<Rank>& part, Rank from, Rank to);
  void do_swap_shards(std::vector<Rank>& part, Rank a, Rank b);
  void do_spread(std::vector<Rank>& part);
  void do_fill(std::vector<Rank>& part);
  void do_grow(std::vector<Rank>& part);
  void do_splice(std::vector<Rank>& part);
  void do_move_blocks(std::vector<Rank>& part, Rank to);
  void do_relabel(std::vector<Rank>& part, Rank a, Rank b);
  std::vector<Rank> matching(const std::vector<Rank>& part, const std::vector<Rank>& source) const;

  const StepModel& model_;
  const Hypergraph& h_;
  int ranks_;
  const std::vector<std::vector<Rank>>& sources_;
  Random random_;
  std::vector<std::size_t> groups_;  // with cells
  struct Change {
    std::size_t cell;
    Rank before;
  };
  std::vector<Change> changes_;
  Kind kind_ = move_shards;
  double tried_[kKinds], helped_[kKinds];
};

}  // namespace hpmp
