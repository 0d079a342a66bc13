// When the instructions of a scheduled step run, and the order of those that fall on one instant.
#pragma once

#include <tuple>

#include "plan/schedule.h"

namespace hpmp {

/// Order of instructions that fall on the same instant of one rank
/// (parts of statistics are added up before the sums are sent).
enum class Slot : std::uint8_t { add_up, send, post, recv, wait, load, task };

/// A place in a rank's list of instructions. id: of the task, or the message's tag.
struct Instant {
  double at = 0;
  Slot slot = Slot::task;
  std::int32_t id = 0;

  friend bool operator<(const Instant& a, const Instant& b) {
    return std::tie(a.at, a.slot, a.id) < std::tie(b.at, b.slot, b.id);
  }
};

/// Of the instruction that takes a message in.
inline Slot taking_slot(MessageKind kind) {
  return is_partial(kind) && is_statistics(kind) ? Slot::add_up : Slot::recv;
}

/// Before the task that it is part of, whose number is higher.
inline Instant redo_instant(const Schedule& schedule, const Redo& redo) {
  return {schedule.start[static_cast<std::size_t>(redo.before)], Slot::task, redo.forward};
}

/// Loads of one instant go by group, then shard.
inline Instant load_instant(double at, GroupId input, std::int32_t s, std::int64_t shards) {
  return {at, Slot::load, input.index * static_cast<std::int32_t>(shards) + s};
}

/// Seconds at which a message is sent, has arrived, and is first read (its buffers are free again).
struct MessageTimes {
  double sent = 0, arrived = 0, used = 0;
};

MessageTimes message_times(const TaskGraph& graph, const Schedule& schedule, std::int32_t message);

}  // namespace hpmp
