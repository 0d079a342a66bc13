// Entry points of kernels/*.cu, found once and launched with what they take.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/dtype.h"
#include "base/error.h"
#include "engine/cuda/kernels/row.h"
#include "engine/cuda/kernels/sums.h"
#include "engine/cuda/stream.h"

namespace hpmp::cuda {

/// Elements that a wide kernel takes at a time: 16 bytes.
inline int wide_elems(DType storage) { return storage == DType::bf16 ? 8 : 4; }

constexpr unsigned kBlock = 256;

/// Blocks for `items` independent items: enough to fill the GPU, whose threads then stride.
unsigned grid_for(const Stream& stream, int items);

/// Errors: `invalid_argument` beyond 2^31 - 1, what the kernels count with.
int item_count(std::int64_t items);

inline bool is_aligned(const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

/// HPMP_PLAIN_KERNEL(name, Args).
template <class Args>
class PlainEntry {
 public:
  PlainEntry(const Device& device, const std::string& name)
      : function_(device.function(name + "_plain")) {}

  void run(Stream& stream, std::int64_t items, Args args) const {
    args.items = item_count(items);
    if (items > 0) stream.launch(function_, grid_for(stream, args.items), kBlock, &args);
  }

 private:
  void* function_;
};

/// HPMP_NARROW_KERNEL(name, Args) for one storage type.
template <class Args>
class NarrowEntry {
 public:
  NarrowEntry(const Device& device, const std::string& name, DType storage)
      : function_(device.function(name + (storage == DType::bf16 ? "_bf16" : "_fp32"))) {}

  void run(Stream& stream, std::int64_t items, Args args) const {
    args.items = item_count(items);
    if (items > 0) stream.launch(function_, grid_for(stream, args.items), kBlock, &args);
  }

 protected:
  void* function_;
};

/// HPMP_KERNEL(name, Args): vectors where the tensors allow them.
template <class Args>
class WideEntry : NarrowEntry<Args> {
 public:
  WideEntry(const Device& device, const std::string& name, DType storage)
      : NarrowEntry<Args>(device, name, storage),
        wide_(device.function(name + (storage == DType::bf16 ? "_bf16_wide" : "_fp32_wide"))),
        width_(wide_elems(storage)) {}

  /// `elems`: items of one element each; `run_elems`: what a vector may not cross (the channels, or
  /// all elements); `tensors`: what is read or written by vectors, rows of parameters and null ones
  /// included.
  template <class Tensors = std::initializer_list<const void*>>
  void run(Stream& stream, std::int64_t elems, std::int64_t run_elems, const Tensors& tensors,
           Args args) const {
    bool wide = run_elems % width_ == 0;
    for (const void* p : tensors) wide = wide && is_aligned(p);
    if (!wide) return NarrowEntry<Args>::run(stream, elems, args);
    args.items = item_count(elems / width_);
    if (elems > 0) stream.launch(wide_, grid_for(stream, args.items), kBlock, &args);
  }

 private:
  void* wide_;
  int width_;
};

/// Blocks that stride where there are more than a grid should have.
inline void run_blocks(Stream& stream, void* function, int blocks, unsigned threads,
                       const void* args) {
  const unsigned most = 1u << 16, grid = static_cast<unsigned>(blocks);
  if (blocks > 0) stream.launch(function, grid < most ? grid : most, threads, args);
}

/// HPMP_BLOCK_ENTRY(name_plain, Args, Body) of kSumThreads.
template <class Args>
class BlockEntry {
 public:
  BlockEntry(const Device& device, const std::string& name)
      : function_(device.function(name + "_plain")) {}

  void run(Stream& stream, std::int64_t blocks, Args args) const {
    args.items = item_count(blocks);
    run_blocks(stream, function_, args.items, kSumThreads, &args);
  }

 private:
  void* function_;
};

/// HPMP_ROW_KERNEL(name, Args): a block per row.
template <class Args>
class RowEntry {
 public:
  RowEntry(const Device& device, const std::string& name, DType storage)
      : function_(device.function(name + (storage == DType::bf16 ? "_bf16" : "_fp32"))) {}

  void run(Stream& stream, std::int64_t rows, Args args) const {
    args.items = item_count(rows);
    run_blocks(stream, function_, args.items, kRowThreads, &args);
  }

 private:
  void* function_;
};

}  // namespace hpmp::cuda
