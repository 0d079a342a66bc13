// The one translation unit that knows cuDNN, by its graph API; its library is found at run time.
#include "engine/cuda/conv_plans.h"

#define NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING
#include <cudnn_frontend.h>
#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;
}

namespace hpmp::cuda {
namespace {

namespace fe = cudnn_frontend;
using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;

enum Uid : std::int64_t { kX = 1, kFilter, kY, kBias, kAddend };

bool find_library(std::string& why) {
  static std::mutex lock;
  const std::lock_guard<std::mutex> guard(lock);
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

using Dims = std::vector<std::int64_t>;

/// {n, c, h, w} in NHWC order of memory.
Dims nhwc_strides(const Dims& d) { return {d[1] * d[2] * d[3], 1, d[3] * d[1], d[1]}; }

Dims input_dims(const ConvShape& s) { return {s.n, s.c, s.rows.input, s.columns.input}; }
Dims output_dims(const ConvShape& s) { return {s.n, s.k, s.rows.output, s.columns.output}; }
Dims filter_dims(const ConvShape& s) {
  return {s.k, s.c / s.groups, s.rows.kernel, s.columns.kernel};
}

/// What the input is padded by behind: as far as the windows reach, which may be less than the
/// pads.
std::int64_t reach_behind(const PoolAxis& a) {
  const std::int64_t end = (a.output - 1) * std::int64_t{a.stride} +
                           (a.kernel - 1) * std::int64_t{a.dilation} + 1 - a.pad;
  return std::max<std::int64_t>(0, end - a.input);
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
    if (spec_.relu)
      y = graph_->pointwise(
          y, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD));
    give(y, kY, output_dims(s));
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

/// `handle` may be null where the graph knows its GPU by a description.
bool find_engine(fe::graph::Graph& graph, const ConvPlanSpec& spec, cudnnHandle_t handle,
                 std::string& why) {
  if (failed(graph.validate(), why) || failed(graph.build_operation_graph(handle), why) ||
      failed(graph.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}), why))
    return false;
  graph.deselect_numeric_notes(forbidden(spec));
  return !failed(graph.check_support(), why);
}

std::string key_of(const ConvPlanSpec& p) {
  std::string key;
  const ConvShape& s = p.shape;
  for (int part :
       {static_cast<int>(p.pass), static_cast<int>(p.storage), static_cast<int>(p.numerics),
        int{p.biased}, int{p.adds}, int{p.relu}, s.n, s.c, s.k, s.groups})
    key += std::to_string(part) + ' ';
  for (const PoolAxis& a : {s.rows, s.columns}) {
    for (int part : {a.input, a.output, a.kernel, a.stride, a.pad, a.dilation})
      key += std::to_string(part) + ' ';
  }
  return key;
}

/// cuDNN on one stream, with the graphs that were built there.
class Library {
 public:
  explicit Library(void* stream) {
    if (fe::detail::create_handle(&handle_) != CUDNN_STATUS_SUCCESS ||
        fe::detail::set_stream(handle_, static_cast<cudaStream_t>(stream)) != CUDNN_STATUS_SUCCESS)
      fail(ErrorCode::device_error, "cannot start cuDNN: " + fe::detail::get_last_error_string_());
  }
  ~Library() { fe::detail::destroy_handle(handle_); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  cudnnHandle_t handle() const { return handle_; }

  std::shared_ptr<fe::graph::Graph> graph(const ConvPlanSpec& spec, std::string& why) {
    std::shared_ptr<fe::graph::Graph>& kept = graphs_[key_of(spec)];
    if (!kept) kept = build(spec, why);
    return kept;
  }

 private:
  std::shared_ptr<fe::graph::Graph> build(const ConvPlanSpec& spec, std::string& why) const {
    std::shared_ptr<fe::graph::Graph> graph = Builder(spec).build();
    if (!find_engine(*graph, spec, handle_, why) ||
        failed(graph->build_plans(handle_, fe::BuildPlanPolicy_t::HEURISTICS_CHOICE), why))
      return nullptr;
    return graph;
  }

  cudnnHandle_t handle_ = nullptr;
  std::map<std::string, std::shared_ptr<fe::graph::Graph>> graphs_;
};

/// One per stream, while some plan uses it.
std::shared_ptr<Library> library_of(void* stream) {
  static std::mutex lock;
  static std::map<void*, std::weak_ptr<Library>> libraries;
  const std::lock_guard<std::mutex> guard(lock);
  std::shared_ptr<Library> library = libraries[stream].lock();
  if (!library) libraries[stream] = library = std::make_shared<Library>(stream);
  return library;
}

class GraphPlan : public ConvPlan {
 public:
  GraphPlan(std::shared_ptr<Library> library, std::shared_ptr<fe::graph::Graph> graph)
      : library_(std::move(library)),
        graph_(std::move(graph)),
        workspace_bytes_(static_cast<std::size_t>(graph_->get_workspace_size())) {}

  std::size_t workspace_bytes() const override { return workspace_bytes_; }

  void run(const ConvOperands& operands, std::byte* workspace) override {
    std::unordered_map<std::int64_t, void*> pointers{{kX, const_cast<void*>(operands.x)},
                                                     {kFilter, const_cast<void*>(operands.filter)},
                                                     {kY, const_cast<void*>(operands.y)}};
    if (operands.bias) pointers[kBias] = const_cast<void*>(operands.bias);
    if (operands.addend) pointers[kAddend] = const_cast<void*>(operands.addend);
    fe::error_t status = graph_->execute(library_->handle(), pointers, workspace);
    if (status.is_bad())
      fail(ErrorCode::device_error, "cannot run a convolution: " + status.get_message());
  }

 private:
  std::shared_ptr<Library> library_;
  std::shared_ptr<fe::graph::Graph> graph_;
  std::size_t workspace_bytes_;
};

}  // namespace

bool is_cudnn_there(std::string& why) { return find_library(why); }

bool has_conv_engine(const ConvPlanSpec& spec, const std::string& gpu, std::string& why) {
  const auto properties = std::make_shared<fe::DeviceProperties>();
  if (!find_library(why) || failed(properties->deserialize({gpu.begin(), gpu.end()}), why))
    return false;
  const std::shared_ptr<fe::graph::Graph> graph = Builder(spec).build();
  graph->set_device_properties(properties);
  return find_engine(*graph, spec, nullptr, why);
}

std::unique_ptr<ConvPlan> make_conv_plan(const Stream& stream, const ConvPlanSpec& spec,
                                         std::string& why) {
  if (!find_library(why)) return nullptr;
  std::shared_ptr<Library> library = library_of(stream.handle());
  std::shared_ptr<fe::graph::Graph> graph = library->graph(spec, why);
  if (!graph) return nullptr;
  return std::make_unique<GraphPlan>(std::move(library), std::move(graph));
}

}  // namespace hpmp::cuda
