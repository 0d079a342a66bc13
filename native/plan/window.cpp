#include "plan/window.h"

#include <algorithm>

namespace hpmp {

void Window::reset(const TaskGraph& graph, int most) {
  graph_ = &graph;
  most_ = most;
  if (most_ == 0) return;
  units_ = 0;
  for (const Task& t : graph.tasks) units_ = std::max(units_, t.shard / graph.shards_together + 1);
  const auto ranks = static_cast<std::size_t>(graph.ranks);
  all_.assign(ranks * static_cast<std::size_t>(units_), {});
  first_.assign(ranks, 0);
  begun_.assign(ranks, 0);
  for (const Task& t : graph.tasks) {
    if (t.kind == TaskKind::backward) ++unit(t).left;
  }
  for (std::size_t i = 0; i < all_.size(); ++i) {
    const bool leads = i % static_cast<std::size_t>(units_) == 0;
    if (!leads) all_[i].place = all_[i - 1].place + (all_[i - 1].left > 0 ? 1 : 0);
  }
}

bool Window::admits(std::int32_t task) {
  if (most_ == 0) return true;
  const Task& t = graph_->tasks[static_cast<std::size_t>(task)];
  if (t.kind != TaskKind::forward) return true;
  Unit& own = unit(t);
  if (own.left == 0 || own.place < begun_[static_cast<std::size_t>(t.rank)] + most_) return true;
  own.held.push_back(task);
  return false;
}

const std::vector<std::int32_t>& Window::finish(std::int32_t task) {
  released_.clear();
  if (most_ == 0) return released_;
  const Task& t = graph_->tasks[static_cast<std::size_t>(task)];
  if (t.kind != TaskKind::backward || --unit(t).left > 0) return released_;
  const auto r = static_cast<std::size_t>(t.rank);
  Unit* own = &all_[r * static_cast<std::size_t>(units_)];
  while (first_[r] < units_ && own[first_[r]].left == 0) ++first_[r];
  if (first_[r] == units_) return released_;
  begun_[r] = own[first_[r]].place;
  for (std::int32_t u = first_[r]; u < units_ && own[u].place < begun_[r] + most_; ++u) {
    released_.insert(released_.end(), own[u].held.begin(), own[u].held.end());
    own[u].held.clear();
  }
  return released_;
}

Window::Unit& Window::unit(const Task& task) {
  return all_[static_cast<std::size_t>(task.rank * units_ + task.shard / graph_->shards_together)];
}

}  // namespace hpmp
