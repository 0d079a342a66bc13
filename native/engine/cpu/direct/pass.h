// A oneDNN primitive with operands in our layouts: copied on the way where the primitive wants
// others.
#pragma once

#include <dnnl.hpp>
#include <initializer_list>
#include <unordered_map>
#include <vector>

#include "engine/cpu/direct/tiles.h"
#include "engine/cpu/elementwise.h"

namespace hpmp::cpu {

using dnnl::memory;

const dnnl::engine& cpu_engine();
dnnl::primitive_attr user_scratchpad();
memory::desc describe(const memory::dims& dims, memory::format_tag layout,
                      DType dtype = DType::fp32);
/// Without data.
memory unbound(const memory::desc& desc);

/// Offsets in the scratch of one call, at cache lines.
class ScratchLayout {
 public:
  std::size_t take(std::size_t bytes) {
    const std::size_t offset = total_;
    total_ += (bytes + 63) / 64 * 64;
    return offset;
  }
  std::size_t total() const { return total_; }

 private:
  std::size_t total_ = 0;
};

/// One operand of a primitive, copied to or from our layout through scratch where they differ.
class Operand {
 public:
  enum Direction { kRead, kWrite };
  Operand() = default;
  Operand(const memory::desc& ours, const memory::desc& primitive, Direction direction,
          bool always_copied, ScratchLayout& scratch)
      : ours_(unbound(ours)), theirs_(unbound(primitive)), direction_(direction) {
    same_layout_ = ours == primitive;
    if (same_layout_ && !always_copied) return;
    offset_ = scratch.take(primitive.get_size());
    if (!same_layout_) copy_ = reorder(direction == kRead, false);
    tiled_ = direction == kWrite && is_tiled(ours, primitive);
    if (!same_layout_ && direction == kWrite && !tiled_) add_ = reorder(false, true);
  }

  const memory& bound() const { return theirs_; }

  void bind(void* data, std::byte* scratch, bool copied) {
    ours_.set_data_handle(data);
    copied_ = !same_layout_ || (copied && direction_ == kWrite);
    theirs_.set_data_handle(copied_ ? static_cast<void*>(scratch + offset_) : data);
  }
  void before(const dnnl::stream& stream) {
    if (direction_ == kRead && copied_) copy_.execute(stream, ours_, theirs_);
  }
  void after(const dnnl::stream& stream, bool accumulate) {
    if (direction_ == kRead || !copied_ || !ours_.get_data_handle()) return;
    if (same_layout_) {
      const memory::desc desc = ours_.get_desc();
      const bool bf16 = desc.get_data_type() == memory::data_type::bf16;
      const DType dtype = bf16 ? DType::bf16 : DType::fp32;
      add_elems(ours_.get_data_handle(), theirs_.get_data_handle(),
                static_cast<std::int64_t>(desc.get_size()) / elem_bytes(dtype), dtype);
    } else if (accumulate && tiled_) {
      add_tiles(ours_.get_desc().get_dims(), static_cast<const float*>(theirs_.get_data_handle()),
                static_cast<float*>(ours_.get_data_handle()));
    } else {
      (accumulate ? add_ : copy_).execute(stream, theirs_, ours_);
    }
  }

 private:
  dnnl::reorder reorder(bool inwards, bool add) const {
    dnnl::primitive_attr attr;
    if (add) {
      dnnl::post_ops sum;
      sum.append_sum(1.f);
      attr.set_post_ops(sum);
    }
    return dnnl::reorder(
        dnnl::reorder::primitive_desc(cpu_engine(), (inwards ? ours_ : theirs_).get_desc(),
                                      cpu_engine(), (inwards ? theirs_ : ours_).get_desc(), attr));
  }

  memory ours_, theirs_;
  Direction direction_ = kRead;
  bool same_layout_ = true, copied_ = false, tiled_ = false;
  std::size_t offset_ = 0;
  dnnl::reorder copy_, add_;
};

/// A prepared primitive with its operands; pointers are given at each run.
class Pass {
 public:
  std::size_t scratch_bytes() const { return scratch_.total(); }

  void add(int argument, const memory::desc& ours, const memory::desc& primitive,
           Operand::Direction direction, bool always_copied = false) {
    operands_.emplace_back(ours, primitive, direction, always_copied, scratch_);
    arguments_[argument] = operands_.back().bound();
  }
  void hold(int argument, const memory& held) { arguments_[argument] = held; }

  template <class Primitive>
  void prepare(const typename Primitive::primitive_desc& pd) {
    primitive_ = Primitive(pd);
    scratchpad_ = unbound(pd.scratchpad_desc());
    scratchpad_offset_ = scratch_.take(pd.scratchpad_desc().get_size());
    arguments_[DNNL_ARG_SCRATCHPAD] = scratchpad_;
  }

  /// data: one pointer per operand in the order of `add`.
  void run(const dnnl::stream& stream, std::initializer_list<void*> data, std::byte* scratch,
           bool accumulate) {
    const auto* pointer = data.begin();
    for (Operand& operand : operands_) operand.bind(*pointer++, scratch, accumulate);
    scratchpad_.set_data_handle(scratch + scratchpad_offset_);
    for (Operand& operand : operands_) operand.before(stream);
    primitive_.execute(stream, arguments_);
    for (Operand& operand : operands_) operand.after(stream, accumulate);
  }

 private:
  dnnl::primitive primitive_;
  std::vector<Operand> operands_;
  std::unordered_map<int, memory> arguments_;
  ScratchLayout scratch_;
  memory scratchpad_;
  std::size_t scratchpad_offset_ = 0;
};

/// Weights kept in a primitive's layout.
struct HeldWeights {
  memory plain, held;
  dnnl::reorder reorder;

  HeldWeights() = default;
  HeldWeights(const memory::desc& from, const memory::desc& to)
      : plain(unbound(from)), held(to, cpu_engine()), reorder(plain, held) {}
  void load(const dnnl::stream& stream, const float* data) {
    plain.set_data_handle(const_cast<float*>(data));
    reorder.execute(stream, plain, held);
  }
  std::size_t bytes() const { return held ? held.get_desc().get_size() : 0; }
};

}  // namespace hpmp::cpu
