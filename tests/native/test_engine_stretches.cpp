// What is given to a GPU as one: the stretches of a step between messages.
#include "engine_run.h"

using namespace engine_run;

namespace {

const char* kGraph = R"(hpmp-graph 1
input x 3 8 8
param w1 weight 16 3 3 3
param s1 scale 16
param t1 shift 16
param m1 running_mean 16
param v1 running_var 16
param fc weight 10 1024
node Conv conv : x : w1 : a kernel=3,3 pads=1,1,1,1
node BatchNormalization bn : a : s1 t1 m1 v1 : b
node Relu relu : b : : c
node Flatten flat : c : : d
node Dropout drop : d : : e ratio=0.25
node Dense fc : e : fc : f
output f
)";

/// Null where the driver is a real one.
const long long* fake_launches() {
  return static_cast<const long long*>(fake_symbol("hpmp_fake_launches"));
}

constexpr int kShards = 2;

Plan one_rank(const Hypergraph& h) {
  return build_plan(h, make_placement(h, std::vector<Rank>(h.cells.size(), 0), 1), Machine{},
                    "one");
}

/// An engine without peers.
struct Alone {
  Alone(const Graph& graph, const Plan& plan, DeviceKind device, std::uint64_t seed = 0)
      : initial(initial_params(graph)) {
    EngineOptions options;
    options.device = device;
    options.seed = seed;
    engine = Engine::create(graph, plan, world.communicator(0), options);
  }
  void set_params(float factor = 1) {
    for (std::size_t p = 0; p < initial.size(); ++p) {
      std::vector<float> scaled = initial[p];
      for (float& w : scaled) w *= factor;
      engine->set_param(ParamId(static_cast<int>(p)), scaled.data());
    }
  }

  LoopbackWorld world{1, SendMode::synchronous};
  std::vector<std::vector<float>> initial;
  std::unique_ptr<Engine> engine;
};

template <class Work>
long long launched_by(Work&& work) {
  const long long before = *fake_launches();
  work();
  return *fake_launches() - before;
}

}  // namespace

TEST(a_step_that_sends_nothing_launches_no_kernel_alone_from_the_third_on) {
  if (device_under_test() == DeviceKind::cpu || fake_launches() == nullptr) return;
  const Graph graph = training_graph(kGraph);
  Alone alone(graph, one_rank(cut(graph, kShards)), DeviceKind::cuda);
  alone.set_params();
  const auto step = [&] {
    const Batch batch = random_batch(1);
    alone.engine->train_step(batch.images.data(), batch.labels.data(), optimizer());
  };
  CHECK(launched_by(step) > 10);
  launched_by(step);
  // What clears the gradients and decays the statistics, before the first stretch.
  CHECK_EQ(launched_by(step), 1);
  CHECK_EQ(launched_by(step), 1);
}

TEST(inference_launches_only_what_it_delivers_from_the_third_time_on) {
  if (device_under_test() == DeviceKind::cpu || fake_launches() == nullptr) return;
  const Graph graph = training_graph(kGraph);
  Alone alone(graph, one_rank(cut(graph, kShards)), DeviceKind::cuda);
  const Batch batch = random_batch(1);
  std::vector<float> output(kBatch * 10);
  const auto pass = [&] { alone.engine->forward(batch.images.data(), nullptr, {output.data()}); };
  CHECK(launched_by(pass) > 10);
  launched_by(pass);
  CHECK_EQ(launched_by(pass), kShards);
  CHECK_EQ(launched_by(pass), kShards);
}

TEST(recorded_inference_follows_new_weights_and_writes_where_it_is_told) {
  // Its batch_norm is folded into the convolution's own copy of the weights.
  const Graph graph = with_outputs(with_late_flatten(without_dead_nodes(parse_graph(kGraph))));
  GridSpec grid;
  grid.batch = kBatch;
  grid.shards = kShards;
  grid.training = false;
  const Plan plan = one_rank(build_hypergraph(graph, checked_grid(graph, grid)));
  const auto outputs = [&](DeviceKind device) {
    Alone alone(graph, plan, device);
    std::vector<std::vector<float>> found;
    for (unsigned round = 0; round < 3; ++round) {
      alone.set_params(static_cast<float>(1 + round));
      for (unsigned again = 0; again < 3; ++again) {
        const Batch batch = random_batch(10 * round + again);
        found.emplace_back(kBatch * 10);
        alone.engine->forward(batch.images.data(), nullptr, {found.back().data()});
      }
    }
    return found;
  };
  const auto cpu = outputs(DeviceKind::cpu), here = outputs(device_under_test());
  for (std::size_t k = 0; k < cpu.size(); ++k) {
    for (std::size_t i = 0; i < cpu[k].size(); ++i) CHECK_NEAR(here[k][i], cpu[k][i], 1e-4);
  }
}

TEST(recorded_steps_follow_the_rate_the_step_and_new_weights) {
  const Graph graph = training_graph(kGraph);
  const auto losses = [&](DeviceKind device, OptimizerKind kind) {
    const Plan plan = one_rank(cut(graph, kShards, 4, false, DType::fp32, kind));
    Alone alone(graph, plan, device, 5);
    Optimizer settings = optimizer(kind);
    std::vector<double> found;
    for (int step = 0; step < 8; ++step) {
      if (step % 4 == 0) alone.set_params();
      const Batch batch = random_batch(static_cast<unsigned>(step));
      settings.lr = 0.2 * step * optimizer(kind).lr;
      found.push_back(
          alone.engine->train_step(batch.images.data(), batch.labels.data(), settings).loss);
      if (step == 5)
        found.push_back(alone.engine->forward(batch.images.data(), batch.labels.data(), {}).loss);
    }
    return found;
  };
  for (OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adamw}) {
    const std::vector<double> cpu = losses(DeviceKind::cpu, kind),
                              here = losses(device_under_test(), kind);
    for (std::size_t k = 0; k < cpu.size(); ++k) CHECK_NEAR(here[k], cpu[k], 1e-4 * cpu[k]);
  }
}
