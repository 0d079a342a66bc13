// The most bytes that live at once on each rank in a scheduled step: activations and messages.
#pragma once

#include <array>
#include <map>

#include "plan/instants.h"

namespace hpmp {

/// Tensors and lifetimes are those of the plan that the same placement and schedule give: `touched`
/// says who touches what, `emit_programs` when.
class LivePeak {
 public:
  /// The model must outlive it.
  LivePeak(const StepModel& model, int ranks);

  /// Bytes by rank; valid until the next call. graph: linked.
  const std::vector<std::int64_t>& find(const std::vector<Rank>& part, const TaskGraph& graph,
                                        const Schedule& schedule);

  /// What running a group's forward tasks on a rank once more would be good for, and cost.
  struct Spare {
    std::int64_t idle_bytes = 0;  // between the passes, when most bytes live on the rank
    std::int64_t task_bytes = 0;  // of one shard, while it is there again
  };
  /// By group, of the last schedule: of those whose tasks on rank r do not run twice yet.
  std::vector<Spare> spares(Rank r);

 private:
  /// From the first instruction that touches a tensor to the last.
  struct Span {
    bool any = false;
    Instant first, last;
    Instant forward;       // the last touch of the forward pass
    bool returns = false;  // the backward pass touches it,
    Instant backward;      // first then

    void touch(const Instant& when, bool in_backward);
    bool idle(const Instant& when) const {
      return any && returns && forward < when && when < backward;
    }
    bool lives(const Instant& when) const { return any && first < when && when < last; }
  };
  /// What a rank holds of a group and shard.
  struct Holding {
    Rank rank = 0;
    GroupId group;
    std::int32_t shard = 0;
    std::int64_t channels = 0;         // computed here
    std::int64_t shared_channels = 0;  // in any of the shards that share statistics from here on
    std::int64_t image_bytes = 0;      // own and received
    std::int64_t own_bytes = 0;        // of these
    bool again = false;                // its forward task runs twice
    Instant redo;                      // when
    std::array<Span, kTensorKinds> spans;
    Span image_again, saved_again;  // from then on

    Span& span(TensorKind kind, const Instant& when) {
      if (again && !(when < redo) && kind == TensorKind::image) return image_again;
      if (again && !(when < redo) && kind == TensorKind::saved) return saved_again;
      return spans[static_cast<std::size_t>(kind)];
    }
  };
  struct Touch {
    TensorKind kind = TensorKind::image;
    GroupId group;
  };
  /// What a task of a group touches, by stage.
  struct Touches {
    std::vector<std::vector<Touch>> forward, backward;
  };
  /// Channels of an input that each block of a group reads.
  struct InputRead {
    GroupId input, reader;
    std::vector<Ranges> blocks;
  };
  struct Event {
    Instant when;
    bool end;
    std::int64_t bytes;

    bool operator<(const Event& o) const {
      return when < o.when || (!(o.when < when) && end < o.end);
    }
  };

  std::vector<std::vector<Touch>> touches_of(GroupId g, InstrKind kind) const;
  void add_input_reads(GroupId reader);
  void hold(const std::vector<Rank>& part, const TaskGraph& graph);
  void hold_cells(const std::vector<Rank>& part);
  void hold_statistics(GroupId g, std::int32_t first, const std::vector<Rank>& part);
  void hold_input(GroupId input, std::int32_t s, const std::vector<Rank>& part);
  Holding& held(GroupId g, std::int32_t s, Rank r);
  void touch(GroupId g, TensorKind kind, std::int32_t s, Rank r, const Instant& when,
             bool in_backward);
  void touch_redos(const TaskGraph& graph, const Schedule& schedule);
  std::int64_t kept_inputs(const Holding& here, const Instant& when) const;
  void touch_tasks(const TaskGraph& graph, const Schedule& schedule);
  void touch_messages(const TaskGraph& graph, const Schedule& schedule);
  void touch_ends(const Flow& flow, const Instant& send, const Instant& take);
  void add_tensors();
  void add(Rank r, const Instant& first, const Instant& last, std::int64_t bytes);
  std::int64_t bytes_of(const Flow& flow) const;
  std::int64_t bytes_of(const Holding& here, TensorKind kind);
  std::int64_t saved_bytes(GroupId g, std::int64_t channels);
  std::size_t at(GroupId g, std::int32_t s, Rank r) const;

  const StepModel& model_;
  int ranks_;
  std::vector<Touches> touches_;                             // by group
  std::vector<InputRead> input_reads_;                       // by input
  std::vector<std::map<std::int64_t, std::int64_t>> saved_;  // by group: bytes by channels
  std::vector<std::int32_t> index_;  // into holdings_ by group, shard and rank; -1
  std::vector<Holding> holdings_;
  std::vector<std::vector<Event>> events_;  // by rank
  std::vector<std::int64_t> peak_;
  std::vector<Instant> peak_at_;  // by rank
};

}  // namespace hpmp
