// What the losses of a step add up to, over shards and ranks.
#pragma once

#include <cstdint>
#include <vector>

#include "comm/wait.h"
#include "engine/engine.h"
#include "engine/tensor.h"
#include "graph/graph.h"
#include "hypergraph/hypergraph.h"

namespace hpmp {

/// Every rank knows all labels, so it counts them itself; what the losses' tasks found is summed in
/// the order of heads and shards, so that the sums do not depend on where shards ran.
class LossTally {
 public:
  LossTally(const Graph& graph, const GridSpec& grid);

  /// Of one sample; 0 in a graph without losses.
  std::int64_t labels_per_sample() const { return labels_per_sample_; }
  std::int64_t counted() const { return counted_; }

  /// labels: [batch][labels_per_sample], or null.
  /// Errors: `invalid_argument` naming a label that is no class.
  void begin(const std::int64_t* labels);
  /// `found`: the output of the loss `head` for the samples of a shard.
  void add(ValueId head, std::int32_t shard, const TensorOf<float>& found);
  /// Collective.
  StepResult summed(Communicator& comm, Tag tag, const WaitOptions& wait) const;

 private:
  struct Head {
    ValueId loss;
    double weight = 1;
    std::int64_t width = 0, at = 0;  // of its sums, and where they begin in a shard's
  };

  StepResult result_of(const std::vector<double>& sums) const;

  std::vector<Head> heads_;
  std::int64_t batch_, shards_, classes_ = 0, labels_per_sample_ = 0, width_ = 0, counted_ = 0;
  std::vector<double> sums_;  // [shards][width]
};

}  // namespace hpmp
