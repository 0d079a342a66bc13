#include "partition/multilevel.h"

#include <algorithm>

namespace hpmp {
namespace {

constexpr std::int64_t kLargestRatedNet = 1000;
constexpr int kRandomStarts = 8;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

/// Clusters in the making: leader of every vertex, weight of every leader's cluster.
class Clustering {
 public:
  Clustering(const KwayProblem& problem, const std::vector<std::int32_t>& label,
             std::int64_t heaviest)
      : p_(problem),
        label_(label),
        heaviest_(heaviest),
        leader_(problem.vertices()),
        size_(problem.vertices(), 1),
        weight_(problem.weight),
        rating_(problem.vertices(), 0),
        luck_(problem.vertices()) {
    for (std::size_t v = 0; v < leader_.size(); ++v) leader_[v] = static_cast<std::int32_t>(v);
  }

  /// Lets every vertex that is still alone join its best neighbour.
  void join_all(Random& random, std::int64_t& work) {
    // A little noise makes every cycle see other clusters.
    for (double& luck : luck_) luck = 0.8 + 0.4 * random.unit();
    for (std::int32_t v : random.permutation(p_.vertices())) {
      if (leader_[at(v)] != v || size_[at(v)] > 1) continue;
      const std::int32_t to = best_neighbour(v, work);
      if (to < 0) continue;
      leader_[at(v)] = to;
      ++size_[at(to)];
      weight_[at(to)] += p_.weight[at(v)];
    }
  }

  std::vector<std::int32_t> numbered(std::int32_t& count) const {
    std::vector<std::int32_t> number(leader_.size(), -1), cluster(leader_.size());
    count = 0;
    for (std::size_t v = 0; v < leader_.size(); ++v) {
      std::int32_t& n = number[at(leader_[v])];
      if (n < 0) n = count++;
      cluster[v] = n;
    }
    return cluster;
  }

 private:
  bool may_join(std::int32_t v, std::int32_t to) const {
    if (to == v || weight_[at(to)] + p_.weight[at(v)] > heaviest_) return false;
    if (p_.fixed[at(v)] != p_.fixed[at(to)]) return false;
    return label_.empty() || label_[at(v)] == label_[at(to)];
  }

  void rate(std::int32_t v, std::int64_t& work) {
    for (std::int64_t i = p_.net_begin[at(v)]; i < p_.net_begin[at(v) + 1]; ++i) {
      const std::size_t e = at(p_.nets[at(i)]);
      const std::int64_t pins = p_.pin_begin[e + 1] - p_.pin_begin[e];
      if (pins > kLargestRatedNet) continue;
      const double share = static_cast<double>(p_.cost[e]) / static_cast<double>(pins - 1);
      for (std::int64_t j = p_.pin_begin[e]; j < p_.pin_begin[e + 1]; ++j) {
        const std::int32_t to = leader_[at(p_.pins[at(j)])];
        if (rating_[at(to)] == 0) touched_.push_back(to);
        rating_[at(to)] += share;
      }
      work += pins;
    }
  }

  std::int32_t best_neighbour(std::int32_t v, std::int64_t& work) {
    rate(v, work);
    std::int32_t best = -1;
    double highest = 0;
    for (std::int32_t to : touched_) {
      const double score =
          rating_[at(to)] * luck_[at(to)] / static_cast<double>(weight_[at(to)] + p_.weight[at(v)]);
      rating_[at(to)] = 0;
      if (score > highest && may_join(v, to)) highest = score, best = to;
    }
    touched_.clear();
    return best;
  }

  const KwayProblem& p_;
  const std::vector<std::int32_t>& label_;
  std::int64_t heaviest_;
  std::vector<std::int32_t> leader_, size_;
  std::vector<std::int64_t> weight_;
  std::vector<double> rating_, luck_;
  std::vector<std::int32_t> touched_;
};

std::int64_t total_weight(const KwayProblem& problem) {
  std::int64_t total = 0;
  for (std::int64_t w : problem.weight) total += w;
  return total;
}

/// Heaviest first, each to the part with the most room; then refined from a random shuffle of it.
std::vector<Rank> random_start(const KwayProblem& problem, Random& random) {
  std::vector<std::int32_t> order = random.permutation(problem.vertices());
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return problem.weight[at(a)] > problem.weight[at(b)];
  });
  std::vector<std::int64_t> room = problem.capacity;
  std::vector<Rank> part(problem.vertices(), 0);
  for (std::int32_t v : order) {
    const auto roomiest = std::max_element(room.begin(), room.end()) - room.begin();
    const Rank to = problem.fixed[at(v)] >= 0 ? problem.fixed[at(v)] : static_cast<Rank>(roomiest);
    part[at(v)] = to;
    room[at(to)] -= problem.weight[at(v)];
  }
  return part;
}

std::vector<Rank> best_random_start(const KwayProblem& problem, Random& random,
                                    std::int64_t& work) {
  std::vector<Rank> best;
  Quality best_quality;
  for (int i = 0; i < kRandomStarts; ++i) {
    std::vector<Rank> part = random_start(problem, random);
    const Quality quality = refine(problem, part, {8, 200}, random, work);
    if (best.empty() || quality < best_quality) best = part, best_quality = quality;
  }
  return best;
}

template <class T>
std::vector<T> pulled_up(const std::vector<T>& fine, const std::vector<std::int32_t>& cluster,
                         std::int32_t count) {
  if (fine.empty()) return {};
  std::vector<T> coarse(at(count));
  for (std::size_t v = 0; v < fine.size(); ++v) coarse[at(cluster[v])] = fine[v];
  return coarse;
}

}  // namespace

std::vector<std::int32_t> clusters_of(const KwayProblem& problem,
                                      const std::vector<std::int32_t>& label, std::int64_t heaviest,
                                      Random& random, std::int32_t& count, std::int64_t& work) {
  Clustering clustering(problem, label, heaviest);
  clustering.join_all(random, work);
  return clustering.numbered(count);
}

Quality cycle(const KwayProblem& problem, std::vector<Rank>& part,
              const std::vector<std::int32_t>& label, std::size_t coarsest, Random& random,
              std::int64_t& work) {
  const std::size_t enough = coarsest * at(problem.parts);
  const std::int64_t heaviest = std::max<std::int64_t>(
      1, total_weight(problem) / static_cast<std::int64_t>(std::max<std::size_t>(1, enough / 2)));
  std::int32_t count = 0;
  std::vector<std::int32_t> cluster;
  if (problem.vertices() > enough) {
    cluster = clusters_of(problem, label, heaviest, random, count, work);
  }
  if (cluster.empty() || at(count) * 20 > problem.vertices() * 19) {
    if (part.empty()) part = best_random_start(problem, random, work);
    return refine(problem, part, {8, 300}, random, work);
  }
  const KwayProblem coarse = contracted(problem, cluster, count);
  work += static_cast<std::int64_t>(problem.pins.size());
  std::vector<Rank> coarse_part = pulled_up(part, cluster, count);
  cycle(coarse, coarse_part, pulled_up(label, cluster, count), coarsest, random, work);
  part.resize(problem.vertices());
  for (std::size_t v = 0; v < part.size(); ++v) part[v] = coarse_part[at(cluster[v])];
  return refine(problem, part, {4, 150}, random, work);
}

}  // namespace hpmp
