// The parameters of one rank: the rows it uses, their gradients, and the optimizer's states of
// those it owns.
#pragma once

#include <array>
#include <vector>

#include "engine/float_array.h"
#include "plan/ownership.h"

namespace hpmp {

/// Rows are packed in the order of `rows.used`. Of running statistics, `weight` is the whole value
/// (what inference reads) and `grad` this rank's additive part of it (what training adds to).
struct HeldParam {
  ParamRows rows;
  std::int64_t row_elems = 0;
  bool trainable = false;
  bool state = false;
  double decay = 1;                        // of running statistics, per step
  bool set_by_task = false;                // one task sets the gradient and updates the weight
  std::vector<std::int64_t> column_order;  // position -> column of the whole parameter, or empty
  FloatArray weight, grad;
  std::array<FloatArray, kMostStates> optimizer_state;  // rows owned; empty where there is none

  /// By state: what stands before row number `i` of those owned, or null.
  std::array<float*, kMostStates> state_at(std::int64_t i) const;
  /// Packed row of a row of the whole parameter; -1 where it is not used here.
  std::int64_t row(std::int64_t whole_row) const { return packed_position(rows.used, whole_row); }
};

class ParamStore {
 public:
  /// `backend` must outlive it.
  ParamStore(const Graph& graph, const RankProgram& program, const GridSpec& grid,
             Backend& backend);

  /// Null where the rank does not use the parameter.
  HeldParam* find(ParamId p) {
    return index_[p.at()] < 0 ? nullptr : &held_[static_cast<std::size_t>(index_[p.at()])];
  }

  /// `data`: the whole parameter in C order.
  void set(ParamId p, const float* data);
  void set_state(ParamId p, int k, const float* data);
  /// Owned rows (of running statistics: this rank's part of all used rows) into `data`.
  void get(ParamId p, float* data);
  void get_grad(ParamId p, float* data);
  void get_state(ParamId p, int k, float* data);

  /// Start of a training step: gradients to zero, running statistics decayed.
  void begin_step();
  /// What an update of the parameter goes over; nothing where a task updates it.
  std::vector<UpdateRange> update_ranges(ParamId p);
  std::int64_t bytes() const;

 private:
  std::vector<ResetRange> reset_ranges() const;
  /// Null where nothing of the parameter is learned here.
  HeldParam* find_trained(ParamId p);
  /// Rows of `from`, which is packed as those used or those owned, into a whole parameter.
  void copy_rows(const HeldParam& held, const FloatArray& from, const Ranges& rows,
                 const Ranges& packed, float* data);

  Backend& backend_;
  std::unique_ptr<Routine> reset_;  // of the first step on
  std::vector<HeldParam> held_;
  std::vector<int> index_;  // by ParamId
};

}  // namespace hpmp
