// However messages travel between GPUs, what they carry and what is counted is the same.
#include "engine/link_bench.h"
#include "engine_run.h"

using namespace engine_run;

namespace {

/// A skip, statistics that shards share, and a dense tail.
const char* kGraph = R"(hpmp-graph 1
input x 3 8 8
param w1 weight 32 3 3 3
param s1 scale 32
param t1 shift 32
param m1 running_mean 32
param v1 running_var 32
param w2 weight 32 32 3 3
param fc weight 10 512
node Conv conv1 : x : w1 : a kernel=3,3 pads=1,1,1,1
node BatchNormalization bn1 : a : s1 t1 m1 v1 : b
node Relu r1 : b : : c
node Conv conv2 : c : w2 : d kernel=3,3 pads=1,1,1,1
node Add add : d c : : e
node Relu r2 : e : : f
node MaxPool pool : f : : g kernel=2,2 strides=2,2
node Flatten flat : g : : h
node Dense fc : h : fc : p
output p
)";

bool is_fake() { return fake_symbol("hpmp_fake_launches") != nullptr; }

struct Choice {
  bool by_gpus, takes_gpu_memory;
};

Run trained(const Graph& graph, const Plan& plan, std::size_t nets, Choice choice) {
  setenv("HPMP_GPU_IPC", choice.by_gpus ? "1" : "0", 1);
  return train(graph, plan, nets, device_under_test(), choice.takes_gpu_memory);
}

void check_same(const Run& a, const Run& b) {
  CHECK(a.losses == b.losses);
  CHECK(a.params == b.params);
  CHECK(a.eval_loss == b.eval_loss);
  CHECK(a.by_net == b.by_net);
  CHECK(a.by_pair == b.by_pair);
  CHECK_EQ(a.bytes(), b.bytes());
}

void check_passages(const Hypergraph& h, const std::vector<Rank>& parts, int ranks) {
  const Plan plan = build_plan(h, make_placement(h, parts, ranks), Machine{}, "passages");
  const auto run = [&](Choice choice) { return trained(h.graph, plan, h.nets.size(), choice); };
  const bool on_gpu = device_under_test() == DeviceKind::cuda;
  const std::int64_t bytes = kSteps * bytes_of_messages(plan);
  const Run staged = run({false, false});
  CHECK(staged.losses[0] > 0);
  CHECK(staged.sent == (SentBytes{bytes, 0, 0}));
  CHECK(staged.transported > bytes);
  const Run shared = run({true, false});
  check_same(shared, staged);
  std::printf("%d ranks: %ld bytes sent, %ld by the transport\n", ranks,
              static_cast<long>(shared.bytes()), static_cast<long>(shared.transported));
  CHECK(shared.sent == (on_gpu ? SentBytes{0, 0, bytes} : staged.sent));
  if (on_gpu) CHECK(shared.transported < staged.transported - bytes + 1000 * ranks * ranks);
  if (!is_fake()) return;
  const Run direct = run({false, true});
  check_same(direct, staged);
  CHECK(direct.sent == (SentBytes{0, bytes, 0}));
  CHECK_EQ(direct.transported, staged.transported);
}

}  // namespace

TEST(messages_between_gpus_of_one_process_do_not_pass_the_transport_and_change_nothing) {
  const Hypergraph h = cut(training_graph(kGraph), 6);
  for (const char* name : {"data", "layer", "filter", "owt"})
    check_passages(h, baseline(h, name, 2).part, 2);
  std::mt19937 random(4);
  std::vector<Rank> parts(h.cells.size());
  for (Rank& p : parts) p = static_cast<Rank>(random() % 4);
  check_passages(h, parts, 4);
}

TEST(statistics_and_bf16_travel_the_same_ways) {
  const Graph graph = training_graph(kGraph);
  const Hypergraph synced = cut(graph, 4, 12, true);
  check_passages(synced, baseline(synced, "data", 4).part, 4);
  if (!runs_dtype(DType::bf16, device_under_test())) return;
  const Hypergraph narrow = cut(graph, 6, 4, false, DType::bf16);
  check_passages(narrow, baseline(narrow, "filter", 2).part, 2);
}

TEST(a_link_is_timed_as_messages_of_a_step_go) {
  const bool on_gpu = device_under_test() == DeviceKind::cuda;
  constexpr int kRepeats = 3;
  constexpr std::int64_t kBytes = 4097, kWhole = (kRepeats + 2) * 4100;
  for (bool by_gpus : {false, true}) {
    setenv("HPMP_GPU_IPC", by_gpus ? "1" : "0", 1);
    LoopbackWorld world(3);
    std::vector<std::int64_t> sent(2);
    std::vector<std::thread> ends;
    for (std::size_t r : {0, 1}) {
      ends.emplace_back([&, r] {
        EngineOptions options;
        options.device = device_under_test();
        Transport transport(world.communicator(static_cast<Rank>(2 * r)), false);
        const std::vector<double> seconds =
            device_ping_pong(transport, static_cast<Rank>(2 - 2 * r), kBytes, kRepeats, options);
        sent[r] = static_cast<int>(seconds.size()) == kRepeats ? transport.bytes() : -1;
      });
    }
    for (std::thread& end : ends) end.join();
    for (std::int64_t bytes : sent) {
      CHECK(bytes >= 0);
      CHECK(on_gpu && by_gpus ? bytes < 1000 : bytes >= kWhole && bytes < kWhole + 1000);
    }
  }
}

TEST(a_rank_that_makes_no_engine_is_named_by_those_that_wait_for_it) {
  if (device_under_test() == DeviceKind::cpu) return;
  const Hypergraph h = cut(training_graph(kGraph), 6);
  const Plan plan =
      build_plan(h, make_placement(h, baseline(h, "data", 2).part, 2), Machine{}, "alone");
  LoopbackWorld world(2, SendMode::synchronous);
  EngineOptions options;
  options.device = DeviceKind::cuda;
  options.comm_timeout_seconds = 0.05;
  std::string said;
  try {
    Engine::create(h.graph, plan, world.communicator(0), options);
  } catch (const Error& error) {
    said = error.what();
  }
  CHECK(said.find("rank 0 receiving from rank 1") == 0);
  CHECK(said.find("agree on how messages between GPUs travel") != std::string::npos);
}
