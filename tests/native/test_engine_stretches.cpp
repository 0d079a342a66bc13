// What is given to a GPU as one: the stretches of a training step between messages.
#include <dlfcn.h>

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
  void* driver = dlopen(std::getenv("HPMP_CUDA_DRIVER"), RTLD_NOW | RTLD_NOLOAD);
  if (driver == nullptr) return nullptr;
  return static_cast<const long long*>(dlsym(driver, "hpmp_fake_launches"));
}

Plan one_rank(const Graph& graph) {
  const Hypergraph h = cut(graph, 2);
  return build_plan(h, make_placement(h, std::vector<Rank>(h.cells.size(), 0), 1), Machine{},
                    "one");
}

}  // namespace

TEST(a_step_that_sends_nothing_launches_no_kernel_alone_from_the_third_on) {
  if (device_under_test() == DeviceKind::cpu) return;
  const Graph graph = training_graph(kGraph);
  const Plan plan = one_rank(graph);
  LoopbackWorld world(1, SendMode::synchronous);
  EngineOptions options;
  options.device = DeviceKind::cuda;
  const auto engine = Engine::create(graph, plan, world.communicator(0), options);
  const auto initial = initial_params(graph);
  for (std::size_t p = 0; p < initial.size(); ++p)
    engine->set_param(ParamId(static_cast<int>(p)), initial[p].data());
  const long long* launches = fake_launches();
  if (launches == nullptr) return;
  const auto launched_by_a_step = [&] {
    const long long before = *launches;
    const Batch batch = random_batch(1);
    engine->train_step(batch.images.data(), batch.labels.data(), {0.05, 0.9, 1e-4});
    return *launches - before;
  };
  CHECK(launched_by_a_step() > 10);
  launched_by_a_step();
  // What clears the gradients and decays the statistics, before the first stretch.
  CHECK_EQ(launched_by_a_step(), 1);
  CHECK_EQ(launched_by_a_step(), 1);
}

TEST(recorded_steps_follow_the_rate_the_step_and_new_weights) {
  const Graph graph = training_graph(kGraph);
  const Plan plan = one_rank(graph);
  const auto losses = [&](DeviceKind device) {
    LoopbackWorld world(1, SendMode::synchronous);
    EngineOptions options;
    options.device = device;
    options.seed = 5;
    const auto engine = Engine::create(graph, plan, world.communicator(0), options);
    std::vector<double> found;
    for (int step = 0; step < 8; ++step) {
      const auto initial = initial_params(graph);
      if (step % 4 == 0) {
        for (std::size_t p = 0; p < initial.size(); ++p)
          engine->set_param(ParamId(static_cast<int>(p)), initial[p].data());
      }
      const Batch batch = random_batch(static_cast<unsigned>(step));
      found.push_back(
          engine->train_step(batch.images.data(), batch.labels.data(), {0.01 * step, 0.9, 1e-4})
              .loss);
      if (step == 5)
        found.push_back(engine->forward(batch.images.data(), batch.labels.data(), {}).loss);
    }
    return found;
  };
  const std::vector<double> cpu = losses(DeviceKind::cpu), here = losses(device_under_test());
  for (std::size_t k = 0; k < cpu.size(); ++k) CHECK_NEAR(here[k], cpu[k], 1e-4 * cpu[k]);
}
