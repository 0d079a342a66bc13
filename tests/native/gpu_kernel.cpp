// A GPU's kernel as the tests see it: pointers of the host, everything copied there and back.
#include <cstdio>
#include <deque>

#include "backend.h"
#include "engine/cuda/prepare.h"
#include "engine/engine.h"
#include "gpu_memory.h"
#include "graph/ops.h"

namespace kernel_test {
namespace {

using namespace hpmp;

/// Floats in each parameter of the link.
std::vector<std::size_t> param_sizes(const KernelSpec& spec) {
  std::vector<NodeId> nodes{spec.node};
  nodes.insert(nodes.end(), spec.fused.begin(), spec.fused.end());
  std::vector<std::size_t> sizes;
  for (NodeId n : nodes) {
    for (ParamId p : spec.graph->node(n).params) {
      const Param& param = spec.graph->param(p);
      const std::int64_t rows = param.rows() == 1 ? 1 : total_size(spec.channels);
      sizes.push_back(static_cast<std::size_t>(rows * param.row_elems()));
    }
  }
  return sizes;
}

std::size_t saved_size(const KernelSpec& spec) {
  std::vector<NodeId> nodes{spec.node};
  nodes.insert(nodes.end(), spec.fused.begin(), spec.fused.end());
  std::int64_t bytes = 0;
  for (NodeId n : nodes)
    bytes += saved_bytes(*spec.graph, spec.graph->node(n), spec.samples, total_size(spec.channels),
                         std::max<std::int64_t>(1, spec.bn_group));
  return static_cast<std::size_t>(bytes);
}

/// Labels that a loss is given.
std::size_t label_count(const KernelSpec& spec) {
  const std::int64_t pixels =
      spec.input_shapes.empty() ? 1 : spec.input_shapes[0].h * spec.input_shapes[0].w;
  return static_cast<std::size_t>(spec.samples * pixels);
}

/// Copies of one call's arrays, brought back in the end.
class Call {
 public:
  /// Null stays null. `back`: the kernel writes it.
  template <class T>
  T* array(T* host, std::size_t count, bool back) {
    if (host == nullptr) return nullptr;
    GpuBytes& copy = copies_.emplace_back(count * sizeof(T));
    copy.set(host);
    if (back) results_.push_back({&copy, const_cast<std::remove_const_t<T>*>(host)});
    return reinterpret_cast<T*>(copy.data());
  }
  TensorRef tensor(const TensorRef& host, bool filled, bool back) {
    if (!host.data) return host;
    GpuTensor& copy = tensors_.emplace_back(host);
    if (filled) copy.upload();
    if (back) tensor_results_.push_back(&copy);
    return copy.ref();
  }
  void finish() {
    Gpu::get().stream.synchronize();
    for (const GpuBytes& copy : copies_) copy.check_guard();
    for (const auto& [copy, host] : results_) copy->get(host);
    for (GpuTensor* copy : tensor_results_) copy->download();
  }

 private:
  std::deque<GpuBytes> copies_;
  std::deque<GpuTensor> tensors_;
  std::vector<std::pair<GpuBytes*, void*>> results_;
  std::vector<GpuTensor*> tensor_results_;
};

class GpuKernel : public Kernel {
 public:
  explicit GpuKernel(const KernelSpec& spec)
      : labels_(label_count(spec)),
        channels_(static_cast<std::size_t>(total_size(spec.channels))),
        sizes_(param_sizes(spec)),
        kernel_(prepare_cuda_kernel(spec, Gpu::get().stream)),
        saved_(saved_size(spec)),
        scratch_(kernel_->scratch_bytes()) {
    for (std::size_t size : sizes_) params_.emplace_back(size * sizeof(float));
  }

  std::size_t resident_bytes() const override { return kernel_->resident_bytes(); }
  void load_params(const std::vector<float*>& params) override { use_params(params); }

  void forward(const ForwardArgs& args) override {
    Call call;
    ForwardArgs on_gpu = args;
    const bool in_place = args.output.data == args.inputs[0].data;
    for (std::size_t k = 0; k < args.inputs.size(); ++k)
      on_gpu.inputs[k] = call.tensor(args.inputs[k], true, k == 0 && in_place && !args.own_sums);
    on_gpu.output = in_place ? on_gpu.inputs[0] : call.tensor(args.output, false, !args.own_sums);
    on_gpu.params = use_params(args.params);
    on_gpu.labels = call.array(args.labels, labels_, false);
    on_gpu.own_sums = call.array(args.own_sums, channels_, true);
    on_gpu.all_sums = call.array(args.all_sums, channels_, false);
    use_memory(args.saved, on_gpu.saved, on_gpu.scratch);
    kernel_->forward(on_gpu);
    call.finish();
    give_params(args.params);
    check_memory();
  }

  void backward(const BackwardArgs& args) override {
    Call call;
    BackwardArgs on_gpu = args;
    for (TensorRef& x : on_gpu.inputs) x = call.tensor(x, true, false);
    on_gpu.output = call.tensor(args.output, true, false);
    const bool in_place =
        !args.grad_inputs.empty() && args.grad_inputs[0].data == args.grad_output.data;
    on_gpu.grad_output = call.tensor(args.grad_output, true, in_place);
    for (std::size_t k = 0; k < args.grad_inputs.size(); ++k) {
      const bool shared = k == 0 && in_place;
      on_gpu.grad_inputs[k] =
          shared ? on_gpu.grad_output : call.tensor(args.grad_inputs[k], true, !args.own_sums);
    }
    on_gpu.params = use_params(args.params);
    for (std::size_t j = 0; j < args.param_grads.size(); ++j)
      on_gpu.param_grads[j] = call.array(args.param_grads[j], sizes_[j], true);
    for (float*& state : on_gpu.state)
      state = call.array(args.update ? state : nullptr, sizes_.empty() ? 0 : sizes_[0], true);
    on_gpu.labels = call.array(args.labels, labels_, false);
    on_gpu.own_sums = call.array(args.own_sums, channels_, true);
    on_gpu.all_sums = call.array(args.all_sums, channels_, false);
    use_memory(args.saved, on_gpu.saved, on_gpu.scratch);
    kernel_->backward(on_gpu);
    call.finish();
    if (args.update) give_params(args.params);
    check_memory();
  }

 private:
  /// Where the kernel found them before: a convolution keeps the address of its weights.
  std::vector<float*> use_params(const std::vector<float*>& host) {
    std::vector<float*> on_gpu;
    for (std::size_t j = 0; j < host.size(); ++j) {
      params_[j].set(host[j]);
      on_gpu.push_back(reinterpret_cast<float*>(params_[j].data()));
    }
    if (!on_gpu.empty()) kernel_->load_params(on_gpu);
    return on_gpu;
  }
  void give_params(const std::vector<float*>& host) const {
    for (std::size_t j = 0; j < host.size(); ++j) params_[j].get(host[j]);
  }

  void use_memory(const std::byte* saved, std::byte*& to_saved, std::byte*& to_scratch) {
    scratch_.poison();
    to_saved = saved == nullptr ? nullptr : saved_.data();
    to_scratch = scratch_.data();
  }
  void check_memory() const {
    saved_.check_guard();
    scratch_.check_guard();
    for (const GpuBytes& p : params_) p.check_guard();
  }

  std::size_t labels_, channels_;
  std::vector<std::size_t> sizes_;
  std::unique_ptr<Kernel> kernel_;
  GpuBytes saved_, scratch_;
  std::deque<GpuBytes> params_;
};

}  // namespace

bool on_gpu() {
  const char* backend = std::getenv("HPMP_TEST_BACKEND");
  return backend != nullptr && std::strcmp(backend, "cuda") == 0;
}

std::unique_ptr<Kernel> prepare_kernel(const KernelSpec& spec) {
  if (!on_gpu()) return prepare_cpu_kernel(spec);
  try {
    return std::make_unique<GpuKernel>(spec);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported_op) throw;
    std::fprintf(stderr, "tested on the CPU: %s\n", error.what());
    return prepare_cpu_kernel(spec);
  }
}

}  // namespace kernel_test
