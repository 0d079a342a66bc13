// A kernel: one op prepared once for one rank-local shape, then run with pointers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/optimizer.h"
#include "engine/tensor.h"
#include "graph/graph.h"

namespace hpmp {

namespace cuda {
struct StepNumbers;  // cuda/kernels/step.h
}

/// What a kernel is prepared for. `channels` are the output channels that this rank computes, in
/// packed order; `input_channels[k]` the channels of operand k that it reads (in the operand's own
/// channel numbering), packed likewise. For conv these are whole conv groups.
struct KernelSpec {
  const Graph* graph = nullptr;  // must outlive the kernel
  NodeId node;
  std::vector<NodeId> fused;  // the rest of its link (graph/links.h); their operands follow those
                              // of `node`, and `output` below is that of the last
  std::int64_t samples = 0;
  Ranges channels;
  std::vector<Ranges> input_channels;
  std::vector<Shape> input_shapes;         // c = size of input_channels[k]
  Shape output_shape;                      // c = size of channels
  std::int64_t bn_group = 0;               // samples that share batch statistics: a divisor of
                                           // `samples`, or more than these
  std::vector<std::int64_t> input_blocks;  // of the tensors that will be given; 0 or none means
  std::int64_t output_block = 0;           // channel_block(c)
  bool training = true;                    // false: no backward pass is prepared
  DType dtype = DType::fp32;               // of all tensors; a loss's output is always fp32
  bool input_gradient = true;              // false: backward is never asked for grad_inputs
  bool accumulate = true;  // false: backward is never asked to add to grad_inputs; less scratch
};

/// Per-call facts that change from step to step.
struct StepInfo {
  bool training = true;  // batch statistics and dropout on
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
  std::int64_t first_sample = 0;  // global index of the shard's first sample in the batch
  std::int64_t counted = 0;       // labels of the global batch that are not ignored
  double label_smoothing = 0;     // of the losses; Szegedy et al. 2015
  // On a GPU: where it finds all of these and the optimizer's rule instead, or null.
  const cuda::StepNumbers* numbers = nullptr;
  double statistics_weight = 0;  // of the task's samples of one statistics group: their share of
                                 // the global batch
};

/// Sums of one channel over the samples that share batch statistics: of x and x * x in the forward
/// pass; of dy and dy * (x - mean) / std in the backward pass.
struct ChannelSums {
  double first = 0, second = 0;
};

struct ForwardArgs {
  std::vector<TensorRef> inputs;
  TensorRef output;              // may alias inputs[0] where the op table says in_place
  std::vector<float*> params;    // packed rows of `channels`, in order; running statistics included
  std::byte* saved = nullptr;    // saved_bytes() of the op table, or null in inference
  std::byte* scratch = nullptr;  // scratch_bytes()
  const std::int64_t* labels = nullptr;  // loss only: [samples][h][w], -1 is ignored
  StepInfo step;
  // batch_norm whose bn_group is more than its samples; each [channels]:
  ChannelSums* own_sums = nullptr;        // given: only write the task's own sums there
  const ChannelSums* all_sums = nullptr;  // of all the samples; what to normalise by
};

struct BackwardArgs {
  std::vector<TensorRef> inputs;       // null data where backward_reads_input is false
  TensorRef output;                    // null data where backward_reads_output is false
  TensorRef grad_output;               // may be overwritten
  std::vector<TensorRef> grad_inputs;  // null data: not wanted. grad_inputs[0] may alias
                                       // grad_output where the op table says gradient_in_place
  std::vector<bool> accumulate;        // per input: += instead of = (never with aliasing)
  std::vector<float*> params;
  std::vector<float*> param_grads;  // always +=; null for running statistics
  // dense: given, param_grads[0] is = instead, and params[0] and its states are updated with it
  const UpdateRule* update = nullptr;
  float* state[kMostStates] = {};
  std::byte* saved = nullptr;
  std::byte* scratch = nullptr;
  const std::int64_t* labels = nullptr;  // as in forward
  StepInfo step;
  ChannelSums* own_sums = nullptr;        // as in forward; the gradients of parameters, too
  const ChannelSums* all_sums = nullptr;  // as in forward; no gradients of parameters
};

class Kernel {
 public:
  virtual ~Kernel() = default;
  /// Scratch shared by all kernels (64-byte aligned) of a rank; contents do not survive a call.
  virtual std::size_t scratch_bytes() const { return 0; }
  /// Memory that the kernel itself holds (weights in the primitive's layout).
  virtual std::size_t resident_bytes() const { return 0; }
  /// The parameters changed: refresh copies kept in the primitive's layout.
  virtual void load_params(const std::vector<float*>& params) { (void)params; }
  virtual void forward(const ForwardArgs& args) = 0;
  virtual void backward(const BackwardArgs& args) = 0;
};

/// Errors: `unsupported_op` naming the node; `device_error` where oneDNN refuses a shape.
std::unique_ptr<Kernel> prepare_cpu_kernel(const KernelSpec& spec);

}  // namespace hpmp
