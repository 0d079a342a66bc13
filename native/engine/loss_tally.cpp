#include "engine/loss_tally.h"

#include <algorithm>
#include <string>

#include "base/error.h"

namespace hpmp {

LossTally::LossTally(const Graph& graph, const GridSpec& grid, Backend& backend)
    : backend_(backend), batch_(grid.batch), shards_(grid.shards) {
  for (ValueId v : graph.outputs) {
    const Node& node = graph.node(graph.value(v).producer);
    if (node.op != OpKind::loss) continue;
    const Shape& logits = graph.shape(node.inputs[0]);
    classes_ = logits.c;
    labels_per_sample_ = logits.h * logits.w;
    heads_.push_back({v, node.attrs.weight, graph.shape(v).c, width_});
    width_ += heads_.back().width;
  }
  if (heads_.empty()) width_ = 1;  // ranks meet at the end of a step in any case
}

void LossTally::begin(const std::int64_t* labels, const std::vector<bool>& counted) {
  sums_.assign(static_cast<std::size_t>(shards_ * width_), 0);
  counted_ = 0;
  has_labels_ = labels != nullptr;
  if (!has_labels_) return;
  const std::int64_t shard_samples = batch_ / shards_;
  for (std::int64_t sample = 0; sample < batch_; ++sample) {
    if (!counted[static_cast<std::size_t>(sample / shard_samples)]) continue;
    counted_ += count_of(sample, labels + sample * labels_per_sample_);
  }
}

std::int64_t LossTally::count_of(std::int64_t sample, const std::int64_t* labels) const {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < labels_per_sample_; ++i) {
    if (labels[i] < -1 || labels[i] >= classes_) {
      fail(ErrorCode::invalid_argument,
           "labels: sample " + std::to_string(sample) + " has the label " +
               std::to_string(labels[i]) + "; give a class from 0 to " +
               std::to_string(classes_ - 1) + ", or -1 where there is none");
    }
    if (labels[i] >= 0) ++count;
  }
  return count;
}

void LossTally::sum_counts(Communicator& comm, Tag tag, const WaitOptions& wait) {
  if (!has_labels_) return;
  const auto own = static_cast<double>(counted_);
  std::vector<double> all(static_cast<std::size_t>(comm.size()));
  gather_doubles(comm, &own, 1, all.data(), tag, wait);
  counted_ = 0;
  for (double count : all) counted_ += static_cast<std::int64_t>(count);
}

void LossTally::fetch(ValueId head, std::int32_t shard, const TensorRef& found) {
  backend_.get(place_of(head, shard, found).output.data, found.data, found.bytes());
}

LossTally::Found& LossTally::place_of(ValueId head, std::int32_t shard, const TensorRef& found) {
  for (Found& place : found_) {
    if (place.head == head && place.shard == shard) return place;
  }
  Memory memory = backend_.allocate_staging(found.bytes());
  TensorRef output = found;
  output.data = memory.get();
  found_.push_back({head, shard, std::move(memory), output});
  return found_.back();
}

void LossTally::add(const Found& found) {
  const auto same = [&](const Head& h) { return h.loss == found.head; };
  const Head& of = *std::find_if(heads_.begin(), heads_.end(), same);
  double* to = sums_.data() + found.shard * width_ + of.at;
  const TensorOf<float> output(found.output);
  for (std::int64_t c = 0; c < of.width; ++c) {
    to[c] = 0;
    for (std::int64_t i = 0; i < output.n; ++i)
      to[c] += static_cast<double>(output.data[output.at(i, c, 0)]);
  }
}

StepResult LossTally::summed(Communicator& comm, Tag tag, const WaitOptions& wait) {
  if (has_labels_) {
    for (const Found& found : found_) add(found);
  }
  const auto count = static_cast<int>(sums_.size());
  std::vector<double> all(sums_.size() * static_cast<std::size_t>(comm.size()));
  gather_doubles(comm, sums_.data(), count, all.data(), tag, wait);
  std::vector<double> sums(static_cast<std::size_t>(width_), 0);
  for (std::int64_t s = 0; s < shards_; ++s) {
    for (int r = 0; r < comm.size(); ++r) {
      const double* part = all.data() + r * count + s * width_;
      for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += part[k];
    }
  }
  return result_of(sums);
}

StepResult LossTally::result_of(const std::vector<double>& sums) const {
  StepResult result;
  result.counted = counted_;
  const auto labels = static_cast<double>(std::max<std::int64_t>(1, counted_));
  for (const Head& head : heads_)
    result.loss += head.weight * sums[static_cast<std::size_t>(head.at)] / labels;
  if (heads_.empty()) return result;
  result.correct = static_cast<std::int64_t>(sums[1]);
  for (std::int64_t k = 2; k < heads_[0].width; ++k)
    result.confusion.push_back(static_cast<std::int64_t>(sums[static_cast<std::size_t>(k)]));
  return result;
}

}  // namespace hpmp
