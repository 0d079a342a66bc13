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

ParamStore::ParamStore(const Graph& graph, const RankProgram& program, bool training)
    : index_(graph.params.size(), -1) {
  for (const ParamRows& rows : program.params) {
    const Param& param = graph.param(rows.param);
    HeldParam held;
    held.rows = rows;
    held.row_elems = param.row_elems();
    held.state = param.is_state();
    held.trainable = training && param.trainable && !held.state;
    const auto used = static_cast<std::size_t>(total_size(rows.used) * held.row_elems);
    held.weight.assign(used, 0);
    if (held.trainable || held.state) held.grad.assign(used, 0);
    if (held.trainable)
      held.momentum.assign(static_cast<std::size_t>(total_size(rows.owned) * held.row_elems), 0);
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
  for_rows(*held, held->rows.used, [&](std::int64_t, std::int64_t i, std::int64_t row) {
    copy_in(*held, data + row * held->row_elems, held->weight.data() + i * held->row_elems);
  });
  if (!held->state) return;
  std::fill(held->grad.begin(), held->grad.end(), 0.0F);
  for_rows(*held, held->rows.owned, [&](std::int64_t used, std::int64_t, std::int64_t row) {
    copy_in(*held, data + row * held->row_elems, held->grad.data() + used * held->row_elems);
  });
}

void ParamStore::set_momentum(ParamId p, const float* data) {
  HeldParam* held = find(p);
  if (held == nullptr || !held->trainable) return;
  for_rows(*held, held->rows.owned, [&](std::int64_t, std::int64_t i, std::int64_t row) {
    copy_in(*held, data + row * held->row_elems, held->momentum.data() + i * held->row_elems);
  });
}

void ParamStore::get(ParamId p, What what, float* data) {
  HeldParam* held = find(p);
  if (held == nullptr) return;
  if (what != What::weight && !held->trainable) return;
  const Floats& from = what == What::momentum              ? held->momentum
                       : what == What::grad || held->state ? held->grad
                                                           : held->weight;
  const bool packed_by_owned = what == What::momentum;
  const Ranges& rows = held->state ? held->rows.used : held->rows.owned;
  for_rows(*held, rows, [&](std::int64_t used, std::int64_t i, std::int64_t row) {
    const std::int64_t at = packed_by_owned ? i : used;
    copy_out(*held, from.data() + at * held->row_elems, data + row * held->row_elems);
  });
}

void ParamStore::begin_step() {
  for (HeldParam& held : held_) {
    if (held.trainable && !held.set_by_task) std::fill(held.grad.begin(), held.grad.end(), 0.0F);
    if (!held.state) continue;
    const auto decay = static_cast<float>(held.decay);
    for (float& v : held.grad) v *= decay;
  }
}

void ParamStore::update(ParamId p, const Sgd& sgd) {
  HeldParam* held = find(p);
  if (held == nullptr || !held->trainable || held->set_by_task) return;
  const auto lr = static_cast<float>(sgd.lr), mu = static_cast<float>(sgd.momentum),
             wd = static_cast<float>(sgd.weight_decay);
  std::int64_t first_owned = 0;
  for (Range r : held->rows.owned) {
    const std::int64_t count = r.size() * held->row_elems;
    const std::int64_t at = held->row(r.begin) * held->row_elems;
    float* w = held->weight.data() + at;
    float* g = held->grad.data() + at;
    float* m = held->momentum.data() + first_owned * held->row_elems;
#pragma omp parallel for simd
    for (std::int64_t i = 0; i < count; ++i) {
      m[i] = mu * m[i] + (g[i] + wd * w[i]);
      w[i] -= lr * m[i];
    }
    first_owned += r.size();
  }
}

std::int64_t ParamStore::bytes() const {
  std::size_t floats = 0;
  for (const HeldParam& held : held_)
    floats += held.weight.size() + held.grad.size() + held.momentum.size();
  return static_cast<std::int64_t>(floats * sizeof(float));
}

}  // namespace hpmp
