// Training a graph on several ranks in one process, and comparing it with one rank.
#pragma once

#include <dlfcn.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <numeric>
#include <random>
#include <thread>

#include "base/error.h"
#include "check.h"
#include "comm/counting.h"
#include "comm/loopback.h"
#include "engine/engine.h"
#include "graph/passes.h"
#include "graph/text.h"
#include "partition/baselines.h"
#include "partition/metrics.h"
#include "plan/predict.h"
#include "plan/reads.h"

namespace engine_run {

using namespace hpmp;

/// Something that the fake driver shows to tests; null where the driver is a real one.
inline const void* fake_symbol(const char* name) {
  void* driver = dlopen(std::getenv("HPMP_CUDA_DRIVER"), RTLD_NOW | RTLD_NOLOAD);
  return driver == nullptr ? nullptr : dlsym(driver, name);
}

constexpr std::int64_t kBatch = 24;

inline Graph training_graph(const char* text) {
  return with_loss(with_late_flatten(without_dead_nodes(parse_graph(text))));
}

struct Batch {
  std::vector<float> images;
  std::vector<std::int64_t> labels;
};

inline Batch random_batch(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Batch batch;
  batch.images.resize(kBatch * 3 * 64);
  for (float& v : batch.images) v = normal(random);
  for (int i = 0; i < kBatch; ++i) batch.labels.push_back(static_cast<std::int64_t>(random() % 10));
  return batch;
}

/// What a rank does not read becomes no number and no class.
inline void spoil(Batch& batch, const ShardReads& reads) {
  const std::size_t samples = kBatch / reads.images.size(), pixels = 3 * 64;
  for (std::size_t s = 0; s < kBatch; ++s) {
    if (!reads.images[s / samples])
      std::fill_n(batch.images.data() + s * pixels, pixels, std::nanf(""));
    if (!reads.labels[s / samples]) batch.labels[s] = std::int64_t{1} << 40;
  }
}

inline std::vector<std::vector<float>> initial_params(const Graph& graph) {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  std::vector<std::vector<float>> all;
  for (const Param& p : graph.params) {
    std::vector<float> data(static_cast<std::size_t>(p.elems()));
    const float spread = 1.0F / std::sqrt(static_cast<float>(p.row_elems()));
    for (float& v : data)
      v = p.role == ParamRole::scale || p.role == ParamRole::running_var ? 1
                                                                         : spread * normal(random);
    all.push_back(std::move(data));
  }
  return all;
}

struct Run {
  std::vector<double> losses;
  std::vector<std::vector<float>> params;
  double eval_loss = 0;
  std::vector<std::int64_t> by_net, by_pair;
  SentBytes sent{};              // by all ranks
  std::int64_t transported = 0;  // of these bytes and of control messages, by the transport

  std::int64_t bytes() const { return std::accumulate(sent.begin(), sent.end(), std::int64_t{0}); }
};

/// A loopback that counts, and that may take a GPU's memory, as the fake GPU's can be taken.
class Transport final : public CountingCommunicator {
 public:
  Transport(Communicator& inner, bool takes_gpu_memory)
      : CountingCommunicator(inner), takes_gpu_memory_(takes_gpu_memory) {}
  bool takes_gpu_memory() const override { return takes_gpu_memory_; }
  std::int64_t bytes() const {
    std::int64_t sum = 0;
    for (std::int64_t b : bytes_to()) sum += b;
    return sum;
  }

 private:
  bool takes_gpu_memory_;
};

constexpr int kSteps = 5;

/// Of the ranks that are compared with the CPU's one: HPMP_TEST_BACKEND=cuda is a GPU.
inline DeviceKind device_under_test() {
  const char* backend = std::getenv("HPMP_TEST_BACKEND");
  const bool cuda = backend != nullptr && std::strcmp(backend, "cuda") == 0;
  return cuda ? DeviceKind::cuda : DeviceKind::cpu;
}

/// Settings with which five steps change every weight clearly.
inline Optimizer optimizer(OptimizerKind kind = OptimizerKind::sgd) {
  Optimizer o;
  o.kind = kind;
  o.lr = kind == OptimizerKind::sgd ? 0.05 : 3e-3;
  o.weight_decay = kind == OptimizerKind::sgd ? 1e-4 : 0.02;
  o.eps = 1e-3;  // a gradient that is rounding alone, of a bias before batch_norm, stays small
  return o;
}

inline Run train(const Graph& graph, const Plan& plan, std::size_t nets,
                 DeviceKind device = DeviceKind::cpu, bool takes_gpu_memory = false,
                 bool own_samples = false) {
  Run run;
  run.params.resize(graph.params.size());
  for (std::size_t p = 0; p < graph.params.size(); ++p)
    run.params[p].assign(static_cast<std::size_t>(graph.params[p].elems()), 0);
  run.by_net.assign(nets, 0);
  run.by_pair.assign(static_cast<std::size_t>(plan.ranks * plan.ranks), 0);
  run.losses.assign(kSteps, 0);
  LoopbackWorld world(plan.ranks, SendMode::synchronous);
  std::mutex lock;
  std::vector<std::thread> threads;
  for (Rank r = 0; r < plan.ranks; ++r) {
    threads.emplace_back([&, r] {
      try {
        EngineOptions options;
        options.device = device;
        options.threads = 1;
        options.comm_timeout_seconds = 10;
        Transport transport(world.communicator(r), takes_gpu_memory);
        const auto engine = Engine::create(graph, plan, transport, options);
        const auto initial = initial_params(graph);
        for (std::size_t p = 0; p < initial.size(); ++p)
          engine->set_param(ParamId(static_cast<int>(p)), initial[p].data());
        const ShardReads reads = shard_reads(graph, fuse_groups(graph), plan,
                                             plan.programs[static_cast<std::size_t>(r)]);
        engine->set_own_labels(own_samples);
        const auto batch_of = [&](unsigned seed) {
          Batch batch = random_batch(seed);
          if (own_samples) spoil(batch, reads);
          return batch;
        };
        for (int step = 0; step < kSteps; ++step) {
          const Batch batch = batch_of(static_cast<unsigned>(step));
          const StepResult result = engine->train_step(batch.images.data(), batch.labels.data(),
                                                       optimizer(plan.grid.optimizer));
          if (r == 0) run.losses[static_cast<std::size_t>(step)] = result.loss;
        }
        const std::vector<std::int64_t> nets_sent = engine->sent_by_net(),
                                        peers = engine->sent_by_peer();
        const SentBytes sent = engine->sent_bytes();
        const std::int64_t transported = transport.bytes();
        const Batch batch = batch_of(99);
        const StepResult eval = engine->forward(batch.images.data(), batch.labels.data(), {});
        std::lock_guard<std::mutex> guard(lock);
        if (r == 0) run.eval_loss = eval.loss;
        for (std::size_t way = 0; way < kPassages; ++way) run.sent[way] += sent[way];
        run.transported += transported;
        for (std::size_t e = 0; e < nets_sent.size(); ++e) run.by_net[e] += nets_sent[e];
        for (std::size_t q = 0; q < peers.size(); ++q)
          run.by_pair[static_cast<std::size_t>(r * plan.ranks) + q] += peers[q];
        for (std::size_t p = 0; p < run.params.size(); ++p) {
          std::vector<float> part(run.params[p].size());
          engine->get_param(ParamId(static_cast<int>(p)), part.data());
          for (std::size_t i = 0; i < part.size(); ++i) run.params[p][i] += part[i];
        }
      } catch (const std::exception& e) {
        std::fprintf(stderr, "rank %d: %s\n", r, e.what());
        world.poison(r, e.what());
        std::lock_guard<std::mutex> guard(lock);
        run.losses.assign(kSteps, -1);
      }
    });
  }
  for (std::thread& t : threads) t.join();
  return run;
}

inline Hypergraph cut(const Graph& graph, std::int64_t shards, std::int64_t bn_group = 4,
                      bool bn_sync = false, DType dtype = DType::fp32,
                      OptimizerKind kind = OptimizerKind::sgd) {
  GridSpec grid;
  grid.batch = kBatch;
  grid.shards = shards;
  grid.bn_group = bn_group;
  grid.bn_sync = bn_sync;
  grid.dtype = dtype;
  grid.optimizer = kind;
  grid.dense_block = 16;
  return build_hypergraph(graph, checked_grid(graph, grid));
}

inline double worst_difference(const Run& a, const Run& b) {
  double worst = std::abs(a.eval_loss - b.eval_loss) / std::abs(b.eval_loss);
  for (int i = 0; i < kSteps; ++i) {
    const auto s = static_cast<std::size_t>(i);
    worst = std::max(worst, std::abs(a.losses[s] - b.losses[s]) / std::abs(b.losses[s]));
  }
  for (std::size_t p = 0; p < a.params.size(); ++p) {
    double scale = 1e-6;
    for (float v : b.params[p]) scale = std::max(scale, std::abs(static_cast<double>(v)));
    for (std::size_t i = 0; i < a.params[p].size(); ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(a.params[p][i]) -
                                       static_cast<double>(b.params[p][i])) /
                                  scale);
    }
  }
  return worst;
}

inline std::int64_t bytes_of_messages(const Plan& plan) {
  std::int64_t sum = 0;
  for (const Message& m : plan.messages) sum += message_bytes(m.kind, m.elems, plan.grid.dtype);
  return sum;
}

inline void check_parity(const Hypergraph& h, const std::vector<Rank>& parts, int ranks,
                         const Run& one, const std::string& name) {
  const Placement placement = make_placement(h, parts, ranks);
  const Plan plan = build_plan(h, placement, Machine{}, name);
  verify_plan(h.graph, plan);
  CHECK(plan_text(parse_plan(plan_text(plan))) == plan_text(plan));
  const Run run = train(h.graph, plan, h.nets.size(), device_under_test());
  const double difference = worst_difference(run, one);
  std::printf("%s K=%d S=%ld: difference %.1e, %ld elements\n", name.c_str(), ranks,
              static_cast<long>(h.grid.shards), difference,
              static_cast<long>(plan.activation_elems + plan.parameter_elems));
  // Partial gradients of bf16 are rounded where they are added up.
  CHECK(difference < (h.grid.dtype == DType::bf16 ? 3e-2 : 1e-4));
  CHECK_EQ(run.bytes(), kSteps * bytes_of_messages(plan));
  const Prediction predicted = predict(h, parts, ranks, Machine{});
  CHECK_EQ(run.bytes(), kSteps * (predicted.activation_bytes + predicted.parameter_bytes));
  std::vector<std::int64_t> volume = net_volume(h, placement);
  for (std::int64_t& v : volume) v *= kSteps;
  CHECK(run.by_net == volume);
  std::vector<std::int64_t> pairs = measure(h, placement).pair_elems;
  for (std::int64_t& v : pairs) v *= kSteps;
  CHECK(run.by_pair == pairs);
}

inline Run reference(const Graph& graph, std::int64_t bn_group = 4, DType dtype = DType::fp32,
                     std::int64_t shards = 1, OptimizerKind kind = OptimizerKind::sgd) {
  const Hypergraph h = cut(graph, shards, bn_group, false, dtype, kind);
  const Placement p = make_placement(h, std::vector<Rank>(h.cells.size(), 0), 1);
  return train(graph, build_plan(h, p, Machine{}, "one"), h.nets.size());
}

}  // namespace engine_run
