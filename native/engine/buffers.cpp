#include "engine/buffers.h"

#include <sys/mman.h>

#include <cstdlib>
#include <string>

#include "base/error.h"
#include "engine/tensor.h"
#include "plan/chain.h"

namespace hpmp {

void FreeAligned::operator()(std::byte* p) const { std::free(p); }

AlignedBytes allocate_bytes(std::int64_t bytes, const char* what) {
  constexpr std::int64_t kLine = 64, kLargePage = 2 << 20;
  const bool large = bytes >= 2 * kLargePage;
  const std::int64_t align = large ? kLargePage : kLine;
  const auto size =
      static_cast<std::size_t>((std::max<std::int64_t>(bytes, 1) + align - 1) / align * align);
  void* p = std::aligned_alloc(static_cast<std::size_t>(align), size);
  if (p == nullptr) {
    fail(ErrorCode::out_of_memory, "cannot allocate " + std::to_string(size) + " bytes for " +
                                       what + "; use more ranks or a smaller batch");
  }
  // Only advice: without large pages all else is the same.
  if (large) madvise(p, size, MADV_HUGEPAGE);
  return AlignedBytes(static_cast<std::byte*>(p));
}

namespace {

/// Whether the group is the network's input and only convolutions and dense ops read it.
bool is_input_of_mixing_ops(const Graph& graph, const GroupedGraph& grouped, GroupId g) {
  if (graph.node(grouped.group(g).nodes[0]).op != OpKind::input) return false;
  for (const Group& reader : grouped.groups) {
    for (const GroupInput& in : reader.inputs) {
      const bool mixes =
          op_info(graph.node(reader.nodes[in.node]).op).channels == ChannelClass::mixing;
      for (const Segment& s : in.view.segments) {
        if (!mixes && grouped.group_of_value[s.source.at()] == g) return false;
      }
    }
  }
  return true;
}

}  // namespace

Arena::Arena(const Graph& graph, const GroupedGraph& grouped, const Plan& plan, Rank rank,
             Backend& backend)
    : bytes_(plan.programs[static_cast<std::size_t>(rank)].arena_bytes),
      memory_(backend.allocate(bytes_, "the arena of a step")) {
  const std::int64_t samples = plan.grid.batch / plan.grid.shards;
  for (const PlannedTensor& t : plan.programs[static_cast<std::size_t>(rank)].tensors) {
    ArenaTensor a;
    a.plan = &t;
    a.data = memory_.get() + t.offset;
    if (t.kind == TensorKind::image || t.kind == TensorKind::image_grad) {
      const Group& g = grouped.group(t.group);
      const std::int64_t c = total_size(t.channels);
      const bool input = is_input_of_mixing_ops(graph, grouped, t.group);
      a.ref = {a.data,
               samples,
               c,
               g.shape.h,
               g.shape.w,
               input ? backend.input_block(c) : backend.block(c),
               image_type(graph, g, plan.grid)};
    }
    tensors_[key_of(t)] = a;
  }
}

ArenaTensor* Arena::find(const TensorKey& key) {
  const auto found = tensors_.find(key);
  return found == tensors_.end() ? nullptr : &found->second;
}

ArenaTensor& Arena::get(const TensorKey& key) {
  ArenaTensor* t = find(key);
  ensure(t != nullptr, "the plan holds every tensor that an instruction touches");
  return *t;
}

void Scratch::reserve(std::int64_t bytes) {
  if (bytes <= bytes_) return;
  memory_ = backend_.allocate(bytes, "scratch");
  bytes_ = bytes;
}

std::byte* Scratch::take(std::int64_t bytes) {
  std::byte* p = memory_.get() + used_;
  used_ += rounded(bytes);
  ensure(used_ <= bytes_, "scratch was reserved for every instruction");
  return p;
}

TensorRef Scratch::take_tensor(std::int64_t n, std::int64_t c, std::int64_t h, std::int64_t w,
                               DType dtype) {
  TensorRef t{nullptr, n, c, h, w, backend_.block(c), dtype};
  t.data = take(t.bytes());
  return t;
}

}  // namespace hpmp
