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

std::array<float*, kMostStates> HeldParam::state_at(std::int64_t i) const {
  std::array<float*, kMostStates> at{};
  for (std::size_t k = 0; k < at.size(); ++k) {
    if (!optimizer_state[k].empty()) at[k] = optimizer_state[k].data() + i * row_elems;
  }
  return at;
}

ParamStore::ParamStore(const Graph& graph, const RankProgram& program, const GridSpec& grid,
                       Backend& backend)
    : backend_(backend), index_(graph.params.size(), -1) {
  for (const ParamRows& rows : program.params) {
    const Param& param = graph.param(rows.param);
    HeldParam held;
    held.rows = rows;
    held.row_elems = param.row_elems();
    held.state = param.is_state();
    held.trainable = grid.training && param.trainable && !held.state;
    const std::int64_t used = total_size(rows.used) * held.row_elems;
    held.weight = FloatArray(backend, used);
    if (held.trainable || held.state) held.grad = FloatArray(backend, used);
    const int states = held.trainable ? optimizer_info(grid.optimizer).states : 0;
    for (int k = 0; k < states; ++k)
      held.optimizer_state[static_cast<std::size_t>(k)] =
          FloatArray(backend, total_size(rows.owned) * held.row_elems);
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

HeldParam* ParamStore::find_trained(ParamId p) {
  HeldParam* held = find(p);
  return held == nullptr || !held->trainable ? nullptr : held;
}

void ParamStore::set_state(ParamId p, int k, const float* data) {
  const HeldParam* held = find_trained(p);
  if (held == nullptr) return;
  HostView state(backend_, held->optimizer_state.at(static_cast<std::size_t>(k)));
  for_rows(*held, held->rows.owned, [&](std::int64_t, std::int64_t i, std::int64_t row) {
    copy_in(*held, data + row * held->row_elems, state.data() + i * held->row_elems);
  });
  state.give_back();
}

void ParamStore::copy_rows(const HeldParam& held, const FloatArray& from, const Ranges& rows,
                           const Ranges& packed, float* data) {
  HostView view(backend_, from);
  for_rows(held, rows, [&](std::int64_t, std::int64_t, std::int64_t row) {
    const std::int64_t at = packed_position(packed, row);
    copy_out(held, view.data() + at * held.row_elems, data + row * held.row_elems);
  });
}

void ParamStore::get(ParamId p, float* data) {
  const HeldParam* held = find(p);
  if (held == nullptr) return;
  const ParamRows& rows = held->rows;
  if (held->state)
    copy_rows(*held, held->grad, rows.used, rows.used, data);
  else
    copy_rows(*held, held->weight, rows.owned, rows.used, data);
}

void ParamStore::get_grad(ParamId p, float* data) {
  const HeldParam* held = find_trained(p);
  if (held != nullptr) copy_rows(*held, held->grad, held->rows.owned, held->rows.used, data);
}

void ParamStore::get_state(ParamId p, int k, float* data) {
  const HeldParam* held = find_trained(p);
  if (held == nullptr) return;
  const FloatArray& state = held->optimizer_state.at(static_cast<std::size_t>(k));
  copy_rows(*held, state, held->rows.owned, held->rows.owned, data);
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
  const HeldParam* held = find_trained(p);
  if (held == nullptr || held->set_by_task) return ranges;
  std::int64_t first_owned = 0;
  for (Range r : held->rows.owned) {
    const std::int64_t at = held->row(r.begin) * held->row_elems;
    UpdateRange range{
        held->grad.data() + at, held->weight.data() + at, {}, r.size() * held->row_elems};
    const auto states = held->state_at(first_owned);
    std::copy(states.begin(), states.end(), range.state);
    ranges.push_back(range);
    first_owned += r.size();
  }
  return ranges;
}

std::int64_t ParamStore::bytes() const {
  std::int64_t bytes = 0;
  for (const HeldParam& held : held_) {
    bytes += held.weight.bytes() + held.grad.bytes();
    for (const FloatArray& state : held.optimizer_state) bytes += state.bytes();
  }
  return bytes;
}

}  // namespace hpmp
