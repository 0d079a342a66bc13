// The optimizer.
#include "engine/cuda/kernels/update.h"

#include "engine/cuda/kernels/portable.h"

namespace hpmp::cuda {

HPMP_DEVICE void sgd(const SgdArgs& a, int i) {
  const float w = a.weight[i];
  const float m = a.momentum * a.velocity[i] + (a.grad[i] + a.weight_decay * w);
  a.velocity[i] = m;
  a.weight[i] = w - a.lr * m;
}
HPMP_PLAIN_KERNEL(sgd, SgdArgs)

}  // namespace hpmp::cuda
