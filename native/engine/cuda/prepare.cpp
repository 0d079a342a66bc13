// From an op kind to its GPU kernel.
#include "engine/cuda/prepare.h"

#include "engine/cuda/kernels.h"

namespace hpmp {

std::unique_ptr<Kernel> prepare_cuda_kernel(const KernelSpec& spec, cuda::Stream& stream,
                                            cuda::Numerics numerics) {
  const cuda::Target target{stream, spec.dtype, numerics};
  const Node& node = spec.graph->node(spec.node);
  if (!spec.fused.empty() && spec.graph->node(spec.fused.back()).op == OpKind::max_pool)
    return cuda::make_max_pool(spec, target);
  if (cuda::is_pointwise(node)) return cuda::make_pointwise(spec, target);
  switch (node.op) {
    case OpKind::conv:
      return cuda::make_conv(spec, target);
    case OpKind::conv_transpose:
      return cuda::make_conv_transpose(spec, target);
    case OpKind::depth_to_space:
    case OpKind::space_to_depth:
      return cuda::make_depth_space(spec, target);
    case OpKind::dense:
      return cuda::make_dense(spec, target);
    case OpKind::batch_norm:
      return cuda::make_batch_norm(spec, target);
    case OpKind::affine:
      return cuda::make_affine(spec, target);
    case OpKind::relu:
    case OpKind::clip:
      return cuda::make_bounds(spec, target);
    case OpKind::prelu:
      return cuda::make_prelu(spec, target);
    case OpKind::mul:
      return cuda::make_mul(spec, target);
    case OpKind::max:
    case OpKind::min:
      return cuda::make_extremum(spec, target);
    case OpKind::max_pool:
      return cuda::make_max_pool(spec, target);
    case OpKind::average_pool:
      return cuda::make_average_pool(spec, target);
    case OpKind::global_average_pool:
      return cuda::make_global_average_pool(spec, target);
    case OpKind::resample:
      return cuda::make_resample(spec, target);
    case OpKind::add:
      return cuda::make_add(spec, target);
    case OpKind::dropout:
      return cuda::make_dropout(spec, target);
    case OpKind::lrn:
      return cuda::make_lrn(spec, target);
    case OpKind::layer_norm:
      return cuda::make_layer_norm(spec, target);
    case OpKind::softmax:
    case OpKind::log_softmax:
      return cuda::make_softmax(spec, target);
    case OpKind::loss:
      return cuda::make_loss(spec, target);
    case OpKind::output:
      return cuda::make_output(spec, target);
    default:
      break;
  }
  fail(ErrorCode::unsupported_op, "cannot prepare node '" + node.name +
                                      "' for a GPU: inputs and index maps have no kernel; they are "
                                      "resolved before kernels are prepared");
}

}  // namespace hpmp
