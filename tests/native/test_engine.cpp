// The engine on several ranks in one process: parity with one rank, and counted volume = metric.
#include "engine_run.h"

using namespace engine_run;

namespace {

/// A skip, a branch that is concatenated, a neighbour op and a dense tail on flattened maps.
const char* kGraph = R"(hpmp-graph 1
input x 3 8 8
param w1 weight 32 3 3 3
param b1 bias 32
param s1 scale 32
param t1 shift 32
param m1 running_mean 32
param v1 running_var 32
param w2 weight 32 32 3 3
param w3 weight 16 64 1 1
param fc1 weight 48 256
param fc1b bias 48
param fc2 weight 10 48
node Conv conv1 : x : w1 b1 : a kernel=3,3 pads=1,1,1,1
node BatchNormalization bn1 : a : s1 t1 m1 v1 : b
node Relu r1 : b : : c
node LRN lrn : c : : d size=5
node Conv conv2 : d : w2 : e kernel=3,3 pads=1,1,1,1
node Add add : e c : : f
node Relu r2 : f : : g
node Concat cat : c g : : h
node Conv conv3 : h : w3 : i kernel=1,1
node Relu r3 : i : : j
node MaxPool pool : j : : k kernel=2,2 strides=2,2
node Flatten flat : k : : l
node Dense fc1 : l : fc1 fc1b : m
node Relu r4 : m : : n
node Dropout drop : n : : o ratio=0.25
node Dense fc2 : o : fc2 : p
output p
)";

}  // namespace

TEST(every_strategy_trains_as_one_rank_does_and_sends_what_the_metric_says) {
  const Graph graph = training_graph(kGraph);
  const Run one = reference(graph);
  CHECK(one.losses[0] > 0);
  for (int ranks : {2, 3}) {
    for (const char* name : {"data", "layer", "filter", "owt"}) {
      const Hypergraph h = cut(graph, 6);
      check_parity(h, baseline(h, name, ranks).part, ranks, one, name);
    }
  }
}

TEST(adamw_trains_on_several_ranks_as_on_one) {
  const Graph graph = training_graph(kGraph);
  const Run one = reference(graph, 4, DType::fp32, 1, OptimizerKind::adamw);
  const Run by_sgd = reference(graph);
  CHECK(worst_difference(one, by_sgd) > 1e-2);
  for (const char* name : {"data", "layer", "filter", "owt"}) {
    const Hypergraph h = cut(graph, 6, 4, false, DType::fp32, OptimizerKind::adamw);
    check_parity(h, baseline(h, name, 3).part, 3, one, name);
  }
}

TEST(an_engine_keeps_the_state_of_its_plans_optimizer_and_takes_no_other) {
  const Graph graph = training_graph(kGraph);
  const Hypergraph h = cut(graph, 1);
  const Placement p = make_placement(h, std::vector<Rank>(h.cells.size(), 0), 1);
  const Plan plan = build_plan(h, p, Machine{}, "one");
  std::int64_t trained_bytes = 0;
  for (const Param& param : graph.params)
    trained_bytes += param.trainable && !param.is_state() ? 4 * param.elems() : 0;
  LoopbackWorld world(1, SendMode::synchronous);
  const auto engine_for = [&](OptimizerKind kind) {
    EngineOptions options;
    options.device = device_under_test();
    return Engine::create(graph, for_optimizer(graph, plan, kind), world.communicator(0), options);
  };
  const auto sgd = engine_for(OptimizerKind::sgd), adamw = engine_for(OptimizerKind::adamw);
  CHECK_EQ(adamw->memory_bytes(), sgd->memory_bytes() + trained_bytes);
  const Batch batch = random_batch(0);
  CHECK_THROWS(
      sgd->train_step(batch.images.data(), batch.labels.data(), optimizer(OptimizerKind::adamw)),
      ErrorCode::invalid_argument, "keeps the state of sgd, not of adamw");
  Optimizer frozen = optimizer(OptimizerKind::adamw);
  frozen.beta2 = 1;
  CHECK_THROWS(adamw->train_step(batch.images.data(), batch.labels.data(), frozen),
               ErrorCode::invalid_argument, "beta2 is 1, not from 0 to below 1");
  std::vector<float> state(static_cast<std::size_t>(graph.params[0].elems()), 0.5F), found = state;
  adamw->set_state(ParamId(0), 1, state.data());
  adamw->get_state(ParamId(0), 0, found.data());
  CHECK(found == std::vector<float>(state.size(), 0.F));
  adamw->get_state(ParamId(0), 1, found.data());
  CHECK(found == state);
}

TEST(random_placements_train_as_one_rank_does) {
  const Graph graph = training_graph(kGraph);
  const Run one = reference(graph);
  for (int ranks : {1, 2, 3, 4}) {
    const Hypergraph h = cut(graph, 2);
    std::mt19937 random(static_cast<unsigned>(ranks));
    std::vector<Rank> parts(h.cells.size());
    for (Rank& p : parts) p = static_cast<Rank>(random() % static_cast<unsigned>(ranks));
    check_parity(h, parts, ranks, one, "random");
  }
}

TEST(samples_that_a_rank_does_not_read_may_hold_anything) {
  const Graph graph = training_graph(kGraph);
  const Hypergraph h = cut(graph, 6);
  for (const char* name : {"data", "layer", "filter", "owt"}) {
    const Placement placement = make_placement(h, baseline(h, name, 3).part, 3);
    const Plan plan = build_plan(h, placement, Machine{}, name);
    const DeviceKind device = device_under_test();
    const Run whole = train(graph, plan, h.nets.size(), device);
    const Run own = train(graph, plan, h.nets.size(), device, false, true);
    CHECK(whole.losses[0] > 0);
    CHECK(own.losses == whole.losses);
    CHECK(own.params == whole.params);
    CHECK(own.eval_loss == whole.eval_loss);
  }
}

TEST(every_shard_is_loaded_and_its_labels_are_counted_by_one_rank) {
  const Graph graph = training_graph(kGraph);
  const Hypergraph h = cut(graph, 6);
  for (const char* name : {"data", "layer", "filter", "owt"}) {
    const Placement placement = make_placement(h, baseline(h, name, 3).part, 3);
    const Plan plan = build_plan(h, placement, Machine{}, name);
    for (std::size_t shard = 0; shard < 6; ++shard) {
      int loading = 0, labelled = 0, counting = 0;
      for (const RankProgram& program : plan.programs) {
        const ShardReads reads = shard_reads(graph, fuse_groups(graph), plan, program);
        loading += reads.images[shard];
        labelled += reads.labels[shard];
        counting += reads.counted[shard];
      }
      // The ranks of a filter strategy share the channels that read a shard's images.
      CHECK_EQ(loading > 1, std::string(name) == "filter");
      CHECK(loading >= 1);
      CHECK_EQ(labelled, 1);
      CHECK_EQ(counting, 1);
    }
  }
}

TEST(bf16_activations_train_as_fp32_ones_do_and_take_half_the_bytes_between_ranks) {
  if (!runs_dtype(DType::bf16)) return;
  const Graph graph = training_graph(kGraph);
  const Run wide = reference(graph), one = reference(graph, 4, DType::bf16, 6);
  for (std::size_t s = 0; s < kSteps; ++s)
    CHECK_NEAR(one.losses[s], wide.losses[s], 0.01 * wide.losses[s]);
  CHECK_NEAR(one.eval_loss, wide.eval_loss, 0.01 * wide.eval_loss);
  for (const char* name : {"data", "layer", "filter", "owt"}) {
    const Hypergraph h = cut(graph, 6, 4, false, DType::bf16);
    check_parity(h, baseline(h, name, 2).part, 2, one, name);
  }
  const Hypergraph h = cut(graph, 6, 4, false, DType::bf16), wider = cut(graph, 6);
  const std::vector<Rank> filter = baseline(h, "filter", 2).part;
  const Prediction narrow = predict(h, filter, 2, Machine{}),
                   full = predict(wider, filter, 2, Machine{});
  CHECK_EQ(2 * narrow.activation_bytes, full.activation_bytes);
  CHECK_EQ(narrow.parameter_bytes, full.parameter_bytes);
  CHECK(narrow.memory_bytes[0] < full.memory_bytes[0]);
}

TEST(bf16_shards_share_their_statistics_in_fp32) {
  if (!runs_dtype(DType::bf16)) return;
  const Graph graph = training_graph(kGraph);
  const Run one = reference(graph, 12, DType::bf16);
  const Hypergraph h = cut(graph, 6, 12, true, DType::bf16);
  check_parity(h, baseline(h, "data", 2).part, 2, one, "data");
}
