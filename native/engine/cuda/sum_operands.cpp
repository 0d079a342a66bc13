#include "engine/cuda/sum_operands.h"

namespace hpmp::cuda {

void SumOperands::sum(const std::vector<TensorRef>& operands, const TensorRef& y) const {
  SumArgs args{};
  args.y = y.data;
  for (const TensorRef& operand : operands) {
    if (args.count == kMostOperands) {
      run(args, y);
      args.x[0] = y.data;
      args.count = 1;
    }
    args.x[args.count++] = operand.data;
  }
  run(args, y);
}

void SumOperands::copy(const TensorRef& from, const TensorRef& to, bool accumulate) const {
  if (!to.data || (to.data == from.data && !accumulate)) return;
  SumArgs args{};
  args.count = 1;
  args.x[0] = from.data;
  args.y = to.data;
  args.accumulate = accumulate;
  run(args, to);
}

void SumOperands::run(SumArgs args, const TensorRef& y) const {
  // Operands that are not there are null, which is aligned.
  entry_.run(stream_, y.elems(), y.elems(),
             {args.y, args.x[0], args.x[1], args.x[2], args.x[3], args.x[4], args.x[5], args.x[6],
              args.x[7]},
             args);
}

}  // namespace hpmp::cuda
