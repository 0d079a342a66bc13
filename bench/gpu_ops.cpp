// Times what a GPU does for a network: every link of its groups, forward and backward, as a
// captured run. One JSON line per distinct link, then one with the sums.
//   gpu_ops GRAPH.txt SAMPLES fp32|tf32|bf16
#include <algorithm>
#include <cstdio>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "engine/cuda/prepare.h"
#include "graph/links.h"
#include "graph/text.h"

using namespace hpmp;

namespace {

constexpr int kRuns = 20;

struct Device {
  std::shared_ptr<cuda::Device> gpu = cuda::Device::open(0);
  cuda::Stream stream{gpu};
};

/// Memory that holds small numbers, whatever type they are read as.
class Memory {
 public:
  explicit Memory(Device& device) : device_(device) {}
  std::byte* take(std::int64_t bytes) {
    cuda::DeviceBytes& block =
        blocks_.emplace_back(device_.gpu, static_cast<std::size_t>(bytes), "a bench");
    device_.stream.fill(block.data(), 0x3c, block.bytes());
    return block.data();
  }
  float* floats(std::int64_t count) { return reinterpret_cast<float*>(take(count * 4)); }
  TensorRef tensor(std::int64_t n, const Shape& s, DType dtype) {
    TensorRef t{nullptr, n, s.c, s.h, s.w, s.c, dtype};
    t.data = take(t.bytes());
    return t;
  }

 private:
  Device& device_;
  std::deque<cuda::DeviceBytes> blocks_;
};

/// The link as a kernel of the whole batch, with everything that it touches.
class LinkBench {
 public:
  LinkBench(Device& device, const Graph& graph, const Group& group, const Link& link,
            std::int64_t samples, DType dtype, cuda::Numerics numerics)
      : device_(device), graph_(graph), group_(group), link_(link), memory_(device) {
    describe(samples, dtype);
    kernel_ = prepare_cuda_kernel(spec_, device_.stream, numerics);
    take_memory();
    kernel_->load_params(forward_.params);
    device_.stream.synchronize();
  }

  double forward_us() {
    return median_us([&] { kernel_->forward(forward_); });
  }
  double backward_us() {
    return median_us([&] { kernel_->backward(backward_); });
  }

 private:
  const Node& node(std::size_t i) const { return graph_.node(group_.nodes[i]); }

  void describe(std::int64_t samples, DType dtype) {
    spec_.graph = &graph_;
    spec_.node = group_.nodes[link_.begin];
    for (std::size_t i = link_.begin + 1; i < link_.end; ++i)
      spec_.fused.push_back(group_.nodes[i]);
    spec_.samples = spec_.bn_group = samples;
    spec_.output_shape = graph_.shape(node(link_.end - 1).output);
    spec_.channels = {{0, spec_.output_shape.c}};
    spec_.dtype = dtype;
    if (link_.begin > 0)
      add_operand(node(link_.begin).inputs[group_.chain_operand[link_.begin]], link_.begin);
    for (const GroupInput& input : group_.inputs) {
      if (link_.has(input.node)) add_operand(node(input.node).inputs[input.operand], input.node);
    }
  }

  void add_operand(ValueId v, std::size_t i) {
    Shape s = graph_.shape(v);
    // A dense layer behind a flatten reads its features as they lie: one pixel.
    if (node(i).op == OpKind::dense) s = {s.elems(), 1, 1};
    spec_.input_shapes.push_back(s);
    spec_.input_channels.push_back({{0, s.c}});
  }

  void take_memory() {
    const std::int64_t n = spec_.samples;
    for (const Shape& s : spec_.input_shapes) {
      forward_.inputs.push_back(memory_.tensor(n, s, spec_.dtype));
      backward_.grad_inputs.push_back(memory_.tensor(n, s, spec_.dtype));
      backward_.accumulate.push_back(false);
    }
    backward_.inputs = forward_.inputs;
    forward_.output = backward_.output = memory_.tensor(n, spec_.output_shape, DType::fp32);
    forward_.output.dtype = backward_.output.dtype = spec_.dtype;
    backward_.grad_output = memory_.tensor(n, spec_.output_shape, spec_.dtype);
    take_params();
    std::int64_t saved = 0;
    for (std::size_t i = link_.begin; i < link_.end; ++i)
      saved += saved_bytes(graph_, node(i), n, spec_.output_shape.c, n);
    forward_.saved = backward_.saved = memory_.take(saved);
    forward_.scratch = backward_.scratch =
        memory_.take(static_cast<std::int64_t>(kernel_->scratch_bytes()));
    std::byte* labels = memory_.take(n * 8);
    device_.stream.fill(labels, 0, static_cast<std::size_t>(n) * 8);
    forward_.labels = backward_.labels = reinterpret_cast<const std::int64_t*>(labels);
    forward_.step.counted = backward_.step.counted = n;
  }

  void take_params() {
    for (std::size_t i = link_.begin; i < link_.end; ++i) {
      for (ParamId p : node(i).params) {
        const Param& param = graph_.param(p);
        forward_.params.push_back(memory_.floats(param.elems()));
        backward_.param_grads.push_back(param.is_state() ? nullptr : memory_.floats(param.elems()));
      }
    }
    backward_.params = forward_.params;
  }

  template <class Work>
  double median_us(const Work& work) {
    work();
    device_.stream.synchronize();
    const cuda::CapturedRun run(device_.stream, work);
    std::vector<double> times;
    for (int k = 0; k < kRuns; ++k) {
      cuda::Event begin(device_.gpu, true), end(device_.gpu, true);
      begin.record(device_.stream);
      run.launch(device_.stream);
      end.record(device_.stream);
      end.synchronize();
      times.push_back(end.elapsed_us(begin));
    }
    std::sort(times.begin(), times.end());
    return times[times.size() / 2];
  }

  Device& device_;
  const Graph& graph_;
  const Group& group_;
  Link link_;
  Memory memory_;
  KernelSpec spec_;
  std::unique_ptr<Kernel> kernel_;
  ForwardArgs forward_;
  BackwardArgs backward_;
};

struct Times {
  int count = 0;
  double forward_us = 0, backward_us = 0;
};

/// What makes two links the same work.
std::string name_of(const Graph& graph, const Group& group, const Link& link) {
  std::string name;
  for (std::size_t i = link.begin; i < link.end; ++i)
    name += (i == link.begin ? "" : "+") + std::string(op_info(graph.node(group.nodes[i]).op).name);
  const Node& first = graph.node(group.nodes[link.begin]);
  const Attrs& a = first.attrs;
  for (const Shape& s :
       {graph.shape(first.inputs[0]), graph.shape(graph.node(group.nodes[link.end - 1]).output)})
    name += " " + std::to_string(s.c) + "x" + std::to_string(s.h) + "x" + std::to_string(s.w);
  return name + " k" + std::to_string(a.kernel[0]) + " s" + std::to_string(a.strides[0]) + " g" +
         std::to_string(a.groups);
}

bool has_work(const Graph& graph, const Group& group) {
  const OpKind op = graph.node(group.nodes[0]).op;
  return op != OpKind::input && op != OpKind::output;
}

void time_link(Device& device, const Graph& graph, const Group& group, const Link& link,
               std::int64_t samples, const std::string& numerics,
               std::map<std::string, Times>& all) {
  Times& times = all[name_of(graph, group, link)];
  if (times.count++ > 0) return;
  const DType dtype = numerics == "bf16" ? DType::bf16 : DType::fp32;
  const auto rounding = numerics == "bf16"   ? cuda::Numerics::bf16
                        : numerics == "tf32" ? cuda::Numerics::tf32
                                             : cuda::Numerics::fp32;
  LinkBench bench(device, graph, group, link, samples, dtype, rounding);
  times.forward_us = bench.forward_us();
  times.backward_us = bench.backward_us();
}

void print(const std::map<std::string, Times>& all) {
  Times sum;
  for (const auto& [name, t] : all) {
    std::printf("{\"link\": \"%s\", \"count\": %d, \"forward_us\": %.1f, \"backward_us\": %.1f}\n",
                name.c_str(), t.count, t.forward_us, t.backward_us);
    sum.forward_us += t.count * t.forward_us;
    sum.backward_us += t.count * t.backward_us;
  }
  std::printf("{\"sum_forward_us\": %.1f, \"sum_backward_us\": %.1f}\n", sum.forward_us,
              sum.backward_us);
}

void run(const char* path, std::int64_t samples, const std::string& numerics) {
  std::ifstream file(path);
  const Graph graph = parse_graph(
      std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
  const GroupedGraph grouped = fuse_groups(graph);
  Device device;
  std::map<std::string, Times> all;
  for (const Group& group : grouped.groups) {
    if (!has_work(graph, group)) continue;
    for (const Link& link : chain_links(graph, group, true, true))
      time_link(device, graph, group, link, samples, numerics, all);
  }
  print(all);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 || std::set<std::string>{"fp32", "tf32", "bf16"}.count(argv[3]) == 0) {
    std::fprintf(stderr, "usage: gpu_ops GRAPH.txt SAMPLES fp32|tf32|bf16\n");
    return 2;
  }
  try {
    run(argv[1], std::atoll(argv[2]), argv[3]);
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "gpu_ops: %s\n", error.what());
    return 1;
  }
}
