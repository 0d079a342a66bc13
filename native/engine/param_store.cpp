#include "engine/param_store.h"

#include <algorithm>

#include "base/error.h"

namespace hpmp {
namespace {

/// Calls f(packed row among `used`, packed row among `part`, whole row) for rows of `part`.
template <class F>
void for_rows(const HeldParam& held, const Ranges& part, F f) {
  std::int64_t i = 0;
  for (Range r : part) {
    for (std::int64_t row = r.begin; row < r.end; ++row) f(held.row(row), i++, row);
  }
}

void copy_in(const HeldParam& held, const float* whole_row, float* packed_row) {
  const auto n = static_cast<std::size_t>(held.row_elems);
  if (held.column_order.empty())
    std::copy_n(whole_row, n, packed_row);
  else
    for (std::size_t i = 0; i < n; ++i) packed_row[i] = whole_row[held.column_order[i]];
}

void copy_out(const HeldParam& held, const float* packed_row, float* whole_row) {
  const auto n = static_cast<std::size_t>(held.row_elems);
  if (held.column_order.empty())
    std::copy_n(packed_row, n, whole_row);
  else
    for (std::size_t i = 0; i < n; ++i) whole_row[held.column_order[i]] = packed_row[i];
}

}  // namespace

ParamStore::ParamStore(const Graph& graph, const RankProgram& program, bool training,
                       Backend& backend)
    : backend_(backend), index_(graph.params.size(), -1) {
  for (const ParamRows& rows : program.params) {
    const Param& param = graph.param(rows.param);
    HeldParam held;
    held.rows = rows;
    held.row_elems = param.row_elems();
    held.state = param.is_state();
    held.trainable = training && param.trainable && !held.state;
    const std::int64_t used = total_size(rows.used) * held.row_elems;
    held.weight = FloatArray(backend, used);
    if (held.trainable || held.state) held.grad = FloatArray(backend, used);
    if (held.trainable)
      held.momentum = FloatArray(backend, total_size(rows.owned) * held.row_elems);
    index_[rows.param.at()] = static_cast<int>(held_.size());
    held_.push_back(std::move(held));
  }
  for (const Node& node : graph.nodes) {
    for (ParamId p : node.params) {
      HeldParam* held = find(p);
      if (held != nullptr && held->state) held->decay = node.attrs.momentum;
    }
  }
}

void ParamStore::set(ParamId p, const float* data) {
  HeldParam* held = find(p);
  if (held == nullptr) return;
  HostView weight(backend_, held->weight);
  for_rows(*held, held->rows.used, [&](std::int64_t, std::int64_t i, std::int64_t row) {
    copy_in(*held, data + row * held->row_elems, weight.data() + i * held->row_elems);
  });
  weight.give_back();
  if (!held->state) return;
  HostView part(backend_, held->grad);
  std::fill_n(part.data(), held->grad.size(), 0.0F);
  for_rows(*held, held->rows.owned, [&](std::int64_t used, std::int64_t, std::int64_t row) {
    copy_in(*held, data + row * held->row_elems, part.data() + used * held->row_elems);
  });
  part.give_back();
}

void ParamStore::set_momentum(ParamId p, const float* data) {
  HeldParam* held = find(p);
  if (held == nullptr || !held->trainable) return;
  HostView momentum(backend_, held->momentum);
  for_rows(*held, held->rows.owned, [&](std::int64_t, std::int64_t i, std::int64_t row) {
    copy_in(*held, data + row * held->row_elems, momentum.data() + i * held->row_elems);
  });
  momentum.give_back();
}

void ParamStore::get(ParamId p, What what, float* data) {
  HeldParam* held = find(p);
  if (held == nullptr) return;
  if (what != What::weight && !held->trainable) return;
  const FloatArray& array = what == What::momentum              ? held->momentum
                            : what == What::grad || held->state ? held->grad
                                                                : held->weight;
  HostView from(backend_, array);
  const bool packed_by_owned = what == What::momentum;
  const Ranges& rows = held->state ? held->rows.used : held->rows.owned;
  for_rows(*held, rows, [&](std::int64_t used, std::int64_t i, std::int64_t row) {
    const std::int64_t at = packed_by_owned ? i : used;
    copy_out(*held, from.data() + at * held->row_elems, data + row * held->row_elems);
  });
}

void ParamStore::begin_step() {
  if (reset_ == nullptr) reset_ = backend_.make_reset(reset_ranges());
  reset_->run();
}

std::vector<ResetRange> ParamStore::reset_ranges() const {
  std::vector<ResetRange> ranges;
  for (const HeldParam& held : held_) {
    const bool sums = held.trainable && !held.set_by_task;
    if (!sums && !held.state) continue;
    const auto factor = static_cast<float>(held.state ? held.decay : 0);
    ranges.push_back({held.grad.data(), held.grad.size(), factor});
  }
  return ranges;
}

std::vector<UpdateRange> ParamStore::update_ranges(ParamId p) {
  std::vector<UpdateRange> ranges;
  HeldParam* held = find(p);
  if (held == nullptr || !held->trainable || held->set_by_task) return ranges;
  std::int64_t first_owned = 0;
  for (Range r : held->rows.owned) {
    const std::int64_t at = held->row(r.begin) * held->row_elems;
    ranges.push_back({held->grad.data() + at, held->weight.data() + at,
                      held->momentum.data() + first_owned * held->row_elems,
                      r.size() * held->row_elems});
    first_owned += r.size();
  }
  return ranges;
}

std::int64_t ParamStore::bytes() const {
  std::int64_t bytes = 0;
  for (const HeldParam& held : held_)
    bytes += held.weight.bytes() + held.grad.bytes() + held.momentum.bytes();
  return bytes;
}

}  // namespace hpmp
