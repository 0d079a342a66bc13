// What the losses of a step add up to, over shards and ranks.
#pragma once

#include <cstdint>
#include <vector>

#include "comm/wait.h"
#include "engine/backend.h"
#include "graph/graph.h"
#include "hypergraph/hypergraph.h"

namespace hpmp {

/// A rank that was given all labels counts them itself; of its own alone, the counts of all ranks
/// are summed. What the losses' tasks found is summed in the order of heads and shards, so that the
/// sums do not depend on where shards ran.
class LossTally {
 public:
  /// `backend` must outlive it.
  LossTally(const Graph& graph, const GridSpec& grid, Backend& backend);

  /// Of one sample; 0 in a graph without losses.
  std::int64_t labels_per_sample() const { return labels_per_sample_; }
  std::int64_t counted() const { return counted_; }

  /// labels: [batch][labels_per_sample], or null; looked at in the shards that `counted` says.
  /// Errors: `invalid_argument` naming a label that is no class.
  void begin(const std::int64_t* labels, const std::vector<bool>& counted);
  /// After a `begin` in which every shard counted on one rank alone; collective.
  void sum_counts(Communicator& comm, Tag tag, const WaitOptions& wait);
  /// `found`: the output of the loss `head` for the samples of a shard; on its way when this
  /// returns. Where labels are given, a step has all outputs that the step before it had.
  void fetch(ValueId head, std::int32_t shard, const TensorRef& found);
  /// Collective; the backend has finished.
  StepResult summed(Communicator& comm, Tag tag, const WaitOptions& wait);

 private:
  struct Head {
    ValueId loss;
    double weight = 1;
    std::int64_t width = 0, at = 0;  // of its sums, and where they begin in a shard's
  };

  /// An output on the host.
  struct Found {
    ValueId head;
    std::int32_t shard;
    Memory memory;
    TensorRef output;
  };

  /// How many of a sample's labels count.
  std::int64_t count_of(std::int64_t sample, const std::int64_t* labels) const;
  Found& place_of(ValueId head, std::int32_t shard, const TensorRef& found);
  void add(const Found& found);
  StepResult result_of(const std::vector<double>& sums) const;

  Backend& backend_;
  std::vector<Head> heads_;
  std::vector<Found> found_;
  std::int64_t batch_, shards_, classes_ = 0, labels_per_sample_ = 0, width_ = 0, counted_ = 0;
  bool has_labels_ = false;
  std::vector<double> sums_;  // [shards][width]
};

}  // namespace hpmp
