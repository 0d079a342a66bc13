// A GPU's memory and kernels as the engine's backend: all work on one stream, messages beside it.
#include "engine/backend.h"

#include "base/error.h"
#include "engine/cuda/copies.h"
#include "engine/cuda/copy_pieces.h"
#include "engine/cuda/docks.h"
#include "engine/cuda/ferry.h"
#include "engine/cuda/kernels/exchange.h"
#include "engine/cuda/reset_ranges.h"
#include "engine/cuda/step_memory.h"
#include "engine/cuda/sum_operands.h"
#include "engine/cuda/update_all.h"

namespace hpmp {
namespace cuda {
namespace {

static_assert(sizeof(ChannelSums) == sizeof(SumPair), "the engine's sums are the kernels'");

std::size_t size(std::int64_t bytes) { return static_cast<std::size_t>(bytes); }

SumPair* pairs(ChannelSums* sums) { return reinterpret_cast<SumPair*>(sums); }
const SumPair* pairs(const ChannelSums* sums) { return reinterpret_cast<const SumPair*>(sums); }

/// The bytes of an owner, who lives as long as they are used.
template <class Owner>
Memory owned_by(std::shared_ptr<Owner> owner) {
  std::byte* data = owner->data();
  return Memory(std::move(owner), data);
}

/// Rows of a parameter are one channel for the engine; side by side, they are read by vectors.
TensorRef row_of(const TensorRef& t) { return {t.data, 1, t.h, 1, 1, t.h, t.dtype}; }

CopyPieces::Piece piece_of(const ChannelCopy& c) {
  if (c.to.elems() == c.to.h)
    return {row_of(c.to), 0, row_of(c.from), 0, c.to.h, true, c.accumulate};
  const bool to_image = c.accumulate || c.from.block != c.from.c;
  if (to_image) return {c.to, c.to_c, c.from, c.from_c, c.count, true, c.accumulate};
  return {c.from, c.from_c, c.to, c.to_c, c.count, false, false};
}

class ResetRoutine final : public Routine {
 public:
  ResetRoutine(Stream& stream, const std::vector<ResetRange>& ranges)
      : reset_(stream, ranges_of(ranges)) {}
  void run() override { reset_.run(); }

 private:
  static std::vector<ResetRanges::Range> ranges_of(const std::vector<ResetRange>& ranges) {
    std::vector<ResetRanges::Range> all;
    for (const ResetRange& r : ranges)
      all.push_back({r.at, r.count * static_cast<std::int64_t>(sizeof(float)), r.factor});
    return all;
  }

  ResetRanges reset_;
};

class UpdateRoutine final : public Routine {
 public:
  UpdateRoutine(Stream& stream, const StepNumbers* numbers, const std::vector<UpdateRange>& ranges)
      : numbers_(numbers), update_(stream, ranges) {}
  void run() override { update_.run(numbers_); }

 private:
  const StepNumbers* numbers_;
  UpdateAll update_;
};

class CopyRoutine final : public Routine {
 public:
  CopyRoutine(const Target& target, const std::vector<ChannelCopy>& copies)
      : copies_(target, pieces_of(copies)) {}
  void run() override { copies_.run(); }

 private:
  static std::vector<CopyPieces::Piece> pieces_of(const std::vector<ChannelCopy>& copies) {
    std::vector<CopyPieces::Piece> all;
    for (const ChannelCopy& c : copies) all.push_back(piece_of(c));
    return all;
  }

  CopyPieces copies_;
};

class RecordedRoutine final : public Routine {
 public:
  RecordedRoutine(Stream& stream, const std::function<void()>& work)
      : stream_(stream), run_(stream, work) {}
  void run() override { run_.launch(stream_); }

 private:
  Stream& stream_;
  CapturedRun run_;
};

class CudaBackend final : public Backend {
 public:
  CudaBackend(const EngineOptions& options, DType storage)
      : device_(Device::open(options.gpu, options.gpu_memory)),
        stream_(device_, options.gpu_memory.stream),
        numerics_(options.tf32 ? Numerics::tf32 : Numerics::fp32),
        numbers_(device_),
        copies_(target(storage)),
        float_copies_(target(DType::fp32)),
        sums_(target(DType::fp32)),
        add_pairs_(*device_, "add_pairs"),
        encode_sums_(*device_, "encode_sums"),
        decode_sums_(*device_, "decode_sums") {}

  bool is_host() const override { return false; }
  void enter() override { device_->make_current(); }
  void finish() override { stream_.synchronize(); }

  Memory allocate(std::int64_t bytes, const char* what) override {
    return owned_by(std::make_shared<DeviceBytes>(device_, size(bytes), what));
  }
  Memory allocate_staging(std::int64_t bytes) override {
    return owned_by(std::make_shared<PinnedBytes>(device_, size(bytes)));
  }
  void put(void* to, const void* host, std::int64_t bytes) override {
    stream_.to_device(to, host, size(bytes));
  }
  void get(void* host, const void* from, std::int64_t bytes) override {
    stream_.to_host(host, from, size(bytes));
  }
  void clear(void* at, std::int64_t bytes) override { stream_.fill(at, 0, size(bytes)); }
  void copy(void* to, const void* from, std::int64_t bytes) override {
    stream_.copy(to, from, size(bytes));
  }
  void add(float* to, const float* from, std::int64_t count) override {
    const TensorRef sum{to, 1, count, 1, 1, count};
    sums_.copy({const_cast<float*>(from), 1, count, 1, 1, count}, sum, true);
  }

  std::int64_t block(std::int64_t c) const override { return c; }
  std::int64_t input_block(std::int64_t c) const override { return c; }
  std::unique_ptr<Kernel> prepare(const KernelSpec& spec) override {
    return prepare_cuda_kernel(spec, stream_, numerics_);
  }
  void copy_channels(const ChannelCopy& c) override {
    copies_of(c.to).channels(c.to, c.to_c, c.from, c.from_c, c.count, c.accumulate);
  }
  void take_plain(const TensorRef& to, std::int64_t to_c, const float* plain, std::int64_t channels,
                  Range of) override {
    copies_of(to).from_plain(to, to_c, plain, channels, of.begin, of.size());
  }
  void give_plain(float* host, const TensorRef& from, std::byte* room) override {
    copies_of(from).to_plain(room, from.c, 0, from, 0, from.c);
    get(host, room, plain_room(from.elems()));
  }
  std::int64_t plain_room(std::int64_t elems) const override {
    return elems * static_cast<std::int64_t>(sizeof(float));
  }

  void add_sums(ChannelSums* to, const ChannelSums* from, std::int64_t count) override {
    add_pairs_.run(stream_, count, {0, pairs(from), pairs(to)});
  }
  void encode_sums(float* wire, const ChannelSums* sums, std::int64_t count, double values,
                   bool backward) override {
    encode_sums_.run(stream_, count, {0, backward, values, pairs(sums), wire});
  }
  void decode_sums(ChannelSums* sums, const float* wire, std::int64_t count, double values,
                   bool backward, bool accumulate) override {
    decode_sums_.run(stream_, count, {0, backward, accumulate, values, wire, pairs(sums)});
  }

  void begin_step(const StepInfo& info, const UpdateRule& rule) override {
    numbers_.set(stream_, {info.seed, info.step, info.counted, info.label_smoothing, rule});
  }
  const StepNumbers* numbers() const override { return numbers_.data(); }
  std::unique_ptr<Routine> make_reset(const std::vector<ResetRange>& ranges) override {
    return std::make_unique<ResetRoutine>(stream_, ranges);
  }
  std::unique_ptr<Routine> make_update(const std::vector<UpdateRange>& ranges) override {
    return std::make_unique<UpdateRoutine>(stream_, numbers_.data(), ranges);
  }
  std::unique_ptr<Routine> make_copies(const std::vector<ChannelCopy>& copies) override {
    return std::make_unique<CopyRoutine>(target(copies.at(0).to.dtype), copies);
  }
  std::unique_ptr<Routine> record(const std::function<void()>& work) override {
    return std::make_unique<RecordedRoutine>(stream_, work);
  }
  std::unique_ptr<Docks> make_docks(std::int64_t bytes) override {
    return make_gpu_docks(stream_, bytes);
  }
  std::unique_ptr<Ferry> make_ferry(const std::vector<FerryLoad>& loads) override {
    return make_gpu_ferry(stream_, loads);
  }

 private:
  Target target(DType storage) { return {stream_, storage, numerics_}; }
  const Copies& copies_of(const TensorRef& t) const {
    return t.dtype == DType::fp32 ? float_copies_ : copies_;
  }

  std::shared_ptr<const Device> device_;
  Stream stream_;
  Numerics numerics_;
  StepMemory numbers_;
  Copies copies_, float_copies_;
  SumOperands sums_;
  PlainEntry<AddPairsArgs> add_pairs_;
  PlainEntry<EncodeSumsArgs> encode_sums_;
  PlainEntry<DecodeSumsArgs> decode_sums_;
};

}  // namespace
}  // namespace cuda

int count_gpus(std::string& why) {
  try {
    int count = 0;
    check(cuda::driver(), cuda::driver().device_count(&count), "count the GPUs");
    if (count == 0) why = "the CUDA driver sees no GPU";
    return count;
  } catch (const Error& error) {
    why = error.what();
    return 0;
  }
}

std::unique_ptr<Backend> open_cuda_backend(const EngineOptions& options, DType storage) {
  return std::make_unique<cuda::CudaBackend>(options, storage);
}

}  // namespace hpmp
