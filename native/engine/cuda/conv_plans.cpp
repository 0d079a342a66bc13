// The one translation unit that knows cuDNN, by its graph API; its library is found at run time.
#include "engine/cuda/conv_plans.h"

#define NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING
#include <cudnn_frontend.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <map>
#include <mutex>

#include "engine/cuda/conv_dims.h"
#include "engine/cuda/conv_rehearsal.h"

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;
}

namespace hpmp::cuda {
namespace {

namespace fe = cudnn_frontend;
using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;

enum Uid : std::int64_t { kX = 1, kFilter, kY, kBias, kAddend };

/// Ranks of one process may prepare at the same time.
std::mutex& guard() {
  static std::mutex mutex;
  return mutex;
}

bool find_library(std::string& why) {
  const std::lock_guard<std::mutex> lock(guard());
  if (fe::cudnn_dlhandle) return true;
  const char* named = std::getenv("HPMP_CUDNN");
  fe::cudnn_dlhandle = dlopen(named && *named ? named : "libcudnn.so.9", RTLD_NOW | RTLD_LOCAL);
  if (!fe::cudnn_dlhandle) why = std::string("cuDNN is not found: ") + dlerror();
  return fe::cudnn_dlhandle != nullptr;
}

/// Whether cuDNN refused, and why in its words.
bool failed(fe::error_t status, std::string& why) {
  if (status.is_bad()) why = status.get_message();
  return status.is_bad();
}

fe::DataType_t stored_as(DType storage) {
  return storage == DType::bf16 ? fe::DataType_t::BFLOAT16 : fe::DataType_t::FLOAT;
}

template <class Attributes>
Attributes with_windows(const ConvShape& s) {
  return Attributes()
      .set_pre_padding({s.rows.pad, s.columns.pad})
      .set_post_padding({reach_behind(s.rows), reach_behind(s.columns)})
      .set_stride({s.rows.stride, s.columns.stride})
      .set_dilation({s.rows.dilation, s.columns.dilation});
}

/// The graph of one pass, up to what cuDNN makes of it.
class Builder {
 public:
  explicit Builder(const ConvPlanSpec& spec) : spec_(spec) {
    graph_->set_io_data_type(stored_as(spec.storage))
        .set_intermediate_data_type(fe::DataType_t::FLOAT)
        .set_compute_data_type(fe::DataType_t::FLOAT);
  }

  std::shared_ptr<fe::graph::Graph> build() {
    switch (spec_.pass) {
      case ConvPass::forward:
        forward();
        break;
      case ConvPass::data_grad:
        give(graph_->conv_dgrad(take(kY, output_dims(spec_.shape)), filter(),
                                with_windows<fe::graph::Conv_dgrad_attributes>(spec_.shape)),
             kX, input_dims(spec_.shape));
        break;
      case ConvPass::weight_grad:
        give(graph_->conv_wgrad(take(kY, output_dims(spec_.shape)),
                                take(kX, input_dims(spec_.shape)),
                                with_windows<fe::graph::Conv_wgrad_attributes>(spec_.shape)),
             kFilter, filter_dims(spec_.shape));
        break;
    }
    return graph_;
  }

 private:
  Tensor take(Uid uid, const Dims& dims) {
    return graph_->tensor(
        fe::graph::Tensor_attributes().set_uid(uid).set_dim(dims).set_stride(nhwc_strides(dims)));
  }
  Tensor filter() { return take(kFilter, filter_dims(spec_.shape)); }

  static void give(const Tensor& tensor, Uid uid, const Dims& dims) {
    tensor->set_uid(uid).set_dim(dims).set_stride(nhwc_strides(dims)).set_output(true);
  }

  Tensor combine(const Tensor& a, const Tensor& b) {
    return graph_->pointwise(a, b,
                             fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::ADD));
  }

  void forward() {
    const ConvShape& s = spec_.shape;
    Tensor y = graph_->conv_fprop(take(kX, input_dims(s)), filter(),
                                  with_windows<fe::graph::Conv_fprop_attributes>(s));
    // cuDNN's engines know this order alone.
    if (spec_.adds) y = combine(y, take(kAddend, output_dims(s)));
    if (spec_.biased) y = combine(y, take(kBias, {1, s.k, 1, 1}));
    if (spec_.relu) y = graph_->pointwise(y, bounds());
    give(y, kY, output_dims(s));
  }

  fe::graph::Pointwise_attributes bounds() const {
    auto relu = fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD);
    if (spec_.most < std::numeric_limits<float>::infinity()) relu.set_relu_upper_clip(spec_.most);
    return relu;
  }

  ConvPlanSpec spec_;
  std::shared_ptr<fe::graph::Graph> graph_ = std::make_shared<fe::graph::Graph>();
};

/// What an engine must not do: give other bits in another run and, for fp32, round on the way.
std::vector<fe::NumericalNote_t> forbidden(const ConvPlanSpec& spec) {
  std::vector<fe::NumericalNote_t> notes{fe::NumericalNote_t::NONDETERMINISTIC};
  if (spec.storage == DType::fp32 && spec.numerics == Numerics::fp32)
    notes.insert(notes.end(),
                 {fe::NumericalNote_t::TENSOR_CORE, fe::NumericalNote_t::DOWN_CONVERT_INPUTS,
                  fe::NumericalNote_t::REDUCED_PRECISION_REDUCTION});
  return notes;
}

/// More than this is taken only where no engine does with less: all kernels share it as scratch.
constexpr std::int64_t kMostWorkspace = std::int64_t{1} << 30;

/// `handle` may be null where the graph knows its GPU by a description.
bool find_engine(fe::graph::Graph& graph, const ConvPlanSpec& spec, cudnnHandle_t handle,
                 bool bounded, std::string& why) {
  if (failed(graph.validate(), why) || failed(graph.build_operation_graph(handle), why) ||
      failed(graph.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}), why))
    return false;
  graph.deselect_numeric_notes(forbidden(spec));
  if (bounded) graph.deselect_workspace_greater_than(kMostWorkspace);
  return !failed(graph.check_support(), why);
}

using Pointers = std::unordered_map<std::int64_t, void*>;

/// One engine's plan of a graph.
struct Built {
  std::shared_ptr<fe::graph::Graph> graph;  // null: none, for this reason
  std::int64_t index = 0;
  std::string why;

  std::size_t workspace_bytes() const {
    return static_cast<std::size_t>(graph->get_workspace_size_plan_at_index(index));
  }
  /// `pointers`: kept between calls, which then allocate nothing.
  void run(cudnnHandle_t handle, const ConvOperands& operands, Pointers& pointers,
           std::byte* workspace) const {
    pointers[kX] = const_cast<void*>(operands.x);
    pointers[kFilter] = const_cast<void*>(operands.filter);
    pointers[kY] = const_cast<void*>(operands.y);
    if (operands.bias) pointers[kBias] = const_cast<void*>(operands.bias);
    if (operands.addend) pointers[kAddend] = const_cast<void*>(operands.addend);
    fe::error_t status = graph->execute_plan_at_index(handle, pointers, workspace, index);
    if (status.is_bad())
      fail(ErrorCode::device_error, "cannot run a convolution: " + status.get_message());
  }
};

int tries() {
  const char* given = std::getenv("HPMP_CUDNN_TRIES");
  return given ? std::max(1, std::atoi(given)) : 1;
}

/// cuDNN on one stream, with the plans that were built there.
class Library {
 public:
  explicit Library(const Stream& stream) : stream_(stream.device(), stream.handle()) {
    if (fe::detail::create_handle(&handle_) != CUDNN_STATUS_SUCCESS ||
        fe::detail::set_stream(handle_, static_cast<cudaStream_t>(stream.handle())) !=
            CUDNN_STATUS_SUCCESS)
      fail(ErrorCode::device_error, "cannot start cuDNN: " + fe::detail::get_last_error_string_());
  }
  ~Library() { fe::detail::destroy_handle(handle_); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  cudnnHandle_t handle() const { return handle_; }

  /// What failed is not tried again either.
  const Built& plan(const ConvPlanSpec& spec) {
    const auto [found, added] = plans_.try_emplace(key_of(spec));
    if (added) found->second = build(spec);
    return found->second;
  }

 private:
  Built build(const ConvPlanSpec& spec) {
    Built built;
    for (bool bounded : {true, false}) {
      built.graph = Builder(spec).build();
      if (find_engine(*built.graph, spec, handle_, bounded, built.why) && choose(spec, built))
        return built;
    }
    built.graph.reset();
    return built;
  }

  /// Among the first engines that can be built.
  bool choose(const ConvPlanSpec& spec, Built& built) {
    std::vector<std::int64_t> able;
    const std::int64_t count = built.graph->get_execution_plan_count();
    for (std::int64_t k = 0; k < count && able.size() < static_cast<std::size_t>(tries()); ++k) {
      if (!failed(built.graph->build_plan_at_index(handle_, k), built.why)) able.push_back(k);
    }
    if (able.empty()) return false;
    built.index = able[0];
    if (able.size() > 1) built.index = fastest(spec, built, able);
    return true;
  }

  std::int64_t fastest(const ConvPlanSpec& spec, Built plan,
                       const std::vector<std::int64_t>& able) {
    ConvRehearsal rehearsal(stream_, spec);
    std::map<double, std::int64_t> by_time;
    for (std::int64_t k : able) {
      plan.index = k;
      Pointers pointers;
      const auto run = [&](const ConvOperands& operands, std::byte* workspace) {
        plan.run(handle_, operands, pointers, workspace);
      };
      by_time.emplace(rehearsal.time(plan.workspace_bytes(), run), k);
    }
    return by_time.begin()->second;
  }

  Stream stream_;
  cudnnHandle_t handle_ = nullptr;
  std::map<std::string, Built> plans_;
};

/// One per stream, while some plan uses it.
std::shared_ptr<Library> library_of(const Stream& stream) {
  static std::map<void*, std::weak_ptr<Library>> libraries;
  const std::lock_guard<std::mutex> lock(guard());
  std::weak_ptr<Library>& kept = libraries[stream.handle()];
  std::shared_ptr<Library> library = kept.lock();
  if (!library) kept = library = std::make_shared<Library>(stream);
  return library;
}

class GraphPlan : public ConvPlan {
 public:
  GraphPlan(std::shared_ptr<Library> library, const Built& plan)
      : library_(std::move(library)), plan_(plan), workspace_bytes_(plan.workspace_bytes()) {}

  std::size_t workspace_bytes() const override { return workspace_bytes_; }

  void run(const ConvOperands& operands, std::byte* workspace) override {
    plan_.run(library_->handle(), operands, pointers_, workspace);
  }

 private:
  std::shared_ptr<Library> library_;
  Built plan_;
  std::size_t workspace_bytes_;
  Pointers pointers_;
};

}  // namespace

bool is_cudnn_there(std::string& why) { return find_library(why); }

bool has_conv_engine(const ConvPlanSpec& spec, const std::string& gpu, std::string& why) {
  const auto properties = std::make_shared<fe::DeviceProperties>();
  if (!find_library(why) || failed(properties->deserialize({gpu.begin(), gpu.end()}), why))
    return false;
  const std::shared_ptr<fe::graph::Graph> graph = Builder(spec).build();
  graph->set_device_properties(properties);
  return find_engine(*graph, spec, nullptr, true, why);
}

std::unique_ptr<ConvPlan> make_conv_plan(const Stream& stream, const ConvPlanSpec& spec,
                                         std::string& why) {
  if (!find_library(why)) return nullptr;
  std::shared_ptr<Library> library = library_of(stream);
  const Built& plan = library->plan(spec);
  why = plan.why;
  return plan.graph ? std::make_unique<GraphPlan>(std::move(library), plan) : nullptr;
}

}  // namespace hpmp::cuda
