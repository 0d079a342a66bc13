// From an op kind to its CPU kernel.
#include <string>

#include "engine/cpu/kernels.h"

namespace hpmp {

std::unique_ptr<Kernel> prepare_cpu_kernel(const KernelSpec& spec) {
  const Node& node = cpu::node_of(spec);
  if (!spec.fused.empty() && spec.graph->node(spec.fused.back()).op == OpKind::max_pool)
    return cpu::make_max_pool(spec);
  if (OpKind::sigmoid <= node.op && node.op <= OpKind::pow) return cpu::make_pointwise(spec);
  switch (node.op) {
    case OpKind::conv:
      return cpu::make_conv(spec);
    case OpKind::conv_transpose:
      return cpu::make_conv_transpose(spec);
    case OpKind::depth_to_space:
      return cpu::make_depth_to_space(spec);
    case OpKind::space_to_depth:
      return cpu::make_space_to_depth(spec);
    case OpKind::dense:
      return cpu::make_dense(spec);
    case OpKind::batch_norm:
      return cpu::make_batch_norm(spec);
    case OpKind::affine:
      return cpu::make_affine(spec);
    case OpKind::relu:
      return cpu::make_relu(spec);
    case OpKind::clip:
      return cpu::make_clip(spec);
    case OpKind::prelu:
      return cpu::make_prelu(spec);
    case OpKind::mul:
      return cpu::make_mul(spec);
    case OpKind::max:
    case OpKind::min:
      return cpu::make_extremum(spec);
    case OpKind::max_pool:
      return cpu::make_max_pool(spec);
    case OpKind::average_pool:
      return cpu::make_average_pool(spec);
    case OpKind::global_average_pool:
      return cpu::make_global_average_pool(spec);
    case OpKind::resample:
      return cpu::make_resample(spec);
    case OpKind::add:
      return cpu::make_add(spec);
    case OpKind::dropout:
      return cpu::make_dropout(spec);
    case OpKind::lrn:
      return cpu::make_lrn(spec);
    case OpKind::layer_norm:
      return cpu::make_layer_norm(spec);
    case OpKind::softmax:
    case OpKind::log_softmax:
      return cpu::make_softmax(spec);
    case OpKind::loss:
      return cpu::make_loss(spec);
    case OpKind::output:
      return cpu::make_output(spec);
    default:
      break;
  }
  fail(ErrorCode::unsupported_op, "cannot prepare node '" + node.name +
                                      "': inputs and index maps have no CPU kernel; they "
                                      "are resolved before kernels are prepared");
}

}  // namespace hpmp
