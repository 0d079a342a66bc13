// Communicators keep order, never hang in silence, and report who failed.
#include <atomic>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <thread>

#include "check.h"
#include "comm/counting.h"
#include "comm/loopback.h"
#include "comm/memory_kinds.h"
#include "comm/table.h"
#include "comm/wait.h"
#include "include/hpmp_comm.h"

using namespace hpmp;

namespace {

using Body = std::function<void(Communicator&)>;

/// Runs `body` as every rank; the first failure poisons the world. Returns each rank's message.
std::vector<std::string> run_ranks(LoopbackWorld& world, const Body& body) {
  std::vector<std::string> messages(static_cast<std::size_t>(world.size()));
  std::vector<std::thread> threads;
  for (Rank r = 0; r < world.size(); ++r) {
    threads.emplace_back([&, r] {
      try {
        body(world.communicator(r));
      } catch (const std::exception& error) {
        messages[static_cast<std::size_t>(r)] = error.what();
        world.poison(r, error.what());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return messages;
}

bool all_empty(const std::vector<std::string>& messages) {
  for (const std::string& message : messages) {
    if (!message.empty()) std::fprintf(stderr, "  %s\n", message.c_str());
    if (!message.empty()) return false;
  }
  return true;
}

WaitOptions within(double seconds) {
  WaitOptions options;
  options.timeout_seconds = seconds;
  return options;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST(messages_of_one_tag_arrive_in_order_and_tags_do_not_mix) {
  for (SendMode mode : {SendMode::synchronous, SendMode::buffered}) {
    LoopbackWorld world(2, mode);
    const auto messages = run_ranks(world, [](Communicator& comm) {
      int values[4] = {10, 11, 12, 13};
      Request requests[4];
      const Tag tags[4] = {7, 5, 7, 5};
      if (comm.rank() == 1) std::memset(values, 0, sizeof values);
      const int order[2][4] = {{0, 1, 2, 3}, {1, 3, 0, 2}};
      for (int i : order[comm.rank()]) {
        requests[i] = comm.rank() == 0 ? comm.isend(&values[i], sizeof(int), 1, tags[i])
                                       : comm.irecv(&values[i], sizeof(int), 0, tags[i]);
      }
      for (int i = 0; i < 4; ++i) {
        wait(comm, requests[i], {comm.rank() == 0, 1 - comm.rank(), tags[i], "test"}, within(10));
        CHECK_EQ(values[i], 10 + i);
      }
    });
    CHECK(all_empty(messages));
  }
}

TEST(a_rank_can_send_to_itself) {
  LoopbackWorld world(1);
  Communicator& comm = world.communicator(0);
  double sent = 2.5, received = 0;
  Request send = comm.isend(&sent, sizeof sent, 0, 3);
  CHECK(!comm.test(send));
  Request receive = comm.irecv(&received, sizeof received, 0, 3);
  wait(comm, receive, {false, 0, 3, "self"}, within(1));
  wait(comm, send, {true, 0, 3, "self"}, within(1));
  CHECK_EQ(received, 2.5);
  CHECK(comm.test(send));
}

TEST(sends_before_receives_hang_when_synchronous_and_pass_when_buffered) {
  const Body exchange = [](Communicator& comm) {
    int mine = comm.rank(), theirs = -1;
    const Rank peer = 1 - comm.rank();
    Request send = comm.isend(&mine, sizeof mine, peer, 0);
    wait(comm, send, {true, peer, 0, "FWD conv1 shard 0"}, within(0.2));
    Request receive = comm.irecv(&theirs, sizeof theirs, peer, 0);
    wait(comm, receive, {false, peer, 0, "FWD conv1 shard 0"}, within(10));
    CHECK_EQ(theirs, peer);
  };
  LoopbackWorld buffered(2, SendMode::buffered);
  CHECK(all_empty(run_ranks(buffered, exchange)));
  LoopbackWorld synchronous(2);
  const auto messages = run_ranks(synchronous, exchange);
  CHECK(!messages[0].empty() && !messages[1].empty());
}

TEST(the_watchdog_names_rank_peer_tag_and_instruction) {
  LoopbackWorld world(2);
  int target = 0;
  Request receive = world.communicator(1).irecv(&target, sizeof target, 0, 42);
  int turns = 0;
  WaitOptions options = within(0.05);
  options.progress = [&turns] { ++turns; };
  CHECK_THROWS(
      wait(world.communicator(1), receive, {false, 0, 42, "BWD conv2 shard 1"}, options),
      ErrorCode::comm_error,
      "rank 1 receiving from rank 0 (tag 42) in instruction 'BWD conv2 shard 1' waited 0.05 s");
  CHECK(turns > 20);
}

TEST(a_failed_rank_ends_the_waits_of_the_others) {
  LoopbackWorld world(3);
  const auto messages = run_ranks(world, [](Communicator& comm) {
    if (comm.rank() == 2) fail(ErrorCode::internal, "loss is NaN");
    int target = 0;
    Request receive = comm.irecv(&target, sizeof target, 2, 0);
    wait(comm, receive, {false, 2, 0, "RECV"}, within(60));
  });
  CHECK(has(messages[0], "rank 2 failed: loss is NaN"));
  CHECK(has(messages[1], "rank 2 failed: loss is NaN"));
}

TEST(unequal_sizes_of_send_and_receive_are_refused) {
  LoopbackWorld world(2);
  int values[2] = {1, 2};
  Request send = world.communicator(0).isend(values, sizeof(int), 1, 0);
  Request receive = world.communicator(1).irecv(values, sizeof values, 0, 0);
  CHECK_THROWS(world.communicator(1).test(receive), ErrorCode::comm_error,
               "rank 1 expects 8 bytes from rank 0 (tag 0), which sent 4");
}

TEST(empty_messages_are_messages) {
  LoopbackWorld world(1, SendMode::buffered);
  Communicator& comm = world.communicator(0);
  Request receive = comm.irecv(nullptr, 0, 0, 0);
  CHECK(!comm.test(receive));
  Request send = comm.isend(nullptr, 0, 0, 0);
  CHECK(comm.test(send) && comm.test(receive));
}

TEST(gather_doubles_gives_every_rank_all_values_in_rank_order) {
  for (int size : {1, 2, 3, 5}) {
    LoopbackWorld world(size);
    const auto messages = run_ranks(world, [size](Communicator& comm) {
      for (int step = 0; step < 20; ++step) {
        const double own[2] = {comm.rank() + 0.5, step * 1.0};
        std::vector<double> all(static_cast<std::size_t>(2 * size) + 1, -1.0);
        gather_doubles(comm, own, 2, all.data(), 9, within(10));
        for (int r = 0; r < size; ++r) {
          CHECK_EQ(all[static_cast<std::size_t>(2 * r)], r + 0.5);
          CHECK_EQ(all[static_cast<std::size_t>(2 * r + 1)], step * 1.0);
        }
        CHECK_EQ(all.back(), -1.0);
      }
    });
    CHECK(all_empty(messages));
  }
}

TEST(bytes_are_counted_per_peer) {
  LoopbackWorld world(3, SendMode::buffered);
  CountingCommunicator comm(world.communicator(0));
  char data[100] = {};
  for (int i = 0; i < 3; ++i) comm.isend(data, 10, 1, 0);
  comm.isend(data, 100, 2, 0);
  CHECK(comm.bytes_to() == std::vector<std::int64_t>({0, 30, 100}));
  comm.reset();
  CHECK(comm.bytes_to() == std::vector<std::int64_t>({0, 0, 0}));
}

namespace {

/// A transport to oneself that keeps every part of a message and its size.
struct PartsTransport {
  std::deque<std::pair<const char*, std::int64_t>> sent;
  std::vector<std::int64_t> sizes;

  static int isend(void* context, const void* data, std::int64_t bytes, std::int32_t, std::int32_t,
                   hpmp_comm_request*) {
    auto* self = static_cast<PartsTransport*>(context);
    self->sent.emplace_back(static_cast<const char*>(data), bytes);
    self->sizes.push_back(bytes);
    return 0;
  }
  static int irecv(void* context, void* data, std::int64_t bytes, std::int32_t, std::int32_t,
                   hpmp_comm_request*) {
    auto* self = static_cast<PartsTransport*>(context);
    if (self->sent.empty() || self->sent.front().second != bytes) return 7;
    std::memcpy(data, self->sent.front().first, static_cast<std::size_t>(bytes));
    self->sent.pop_front();
    return 0;
  }
  static int test(void*, hpmp_comm_request*, int* done) { return *done = 1, 0; }
  static const char* error_text(void*, int code) { return code == 7 ? "truncated" : "other"; }

  hpmp_comm_table table() {
    hpmp_comm_table table{};
    table.version = HPMP_COMM_TABLE_VERSION;
    table.table_bytes = sizeof table;
    table.context = this;
    table.size = 1;
    table.max_tag = 100;
    table.max_message_bytes = 8;
    table.isend = isend, table.irecv = irecv, table.test = test, table.error_text = error_text;
    return table;
  }
};

}  // namespace

TEST(messages_longer_than_the_transport_allows_are_split) {
  PartsTransport transport;
  const auto comm = table_communicator(transport.table());
  char sent[20] = "nineteen characters", received[21] = {};
  received[20] = 'g';
  Request send = comm->isend(sent, 20, 0, 1);
  Request receive = comm->irecv(received, 20, 0, 1);
  CHECK(comm->test(send) && comm->test(receive));
  CHECK(transport.sizes == std::vector<std::int64_t>({8, 8, 4}));
  CHECK_EQ(std::string(received), std::string(sent));
  CHECK_EQ(received[20], 'g');
}

TEST(a_transport_error_is_told_with_its_text) {
  PartsTransport transport;
  const auto comm = table_communicator(transport.table());
  char data[4];
  CHECK_THROWS(comm->irecv(data, 4, 0, 1), ErrorCode::comm_error,
               "rank 0: a message with rank 0 failed: truncated");
  CHECK_THROWS(comm->isend(data, 4, 0, 101), ErrorCode::comm_error, "tag 101 is outside 0..100");
}

TEST(a_table_of_another_version_is_refused) {
  hpmp_comm_table table = PartsTransport().table();
  table.version = 99;
  CHECK_THROWS(table_communicator(table), ErrorCode::invalid_argument, "version 99");
}

TEST(memory_of_a_gpu_is_taken_where_cuda_or_its_device_is_listed) {
  for (const char* kinds :
       {"cuda", "mpi,system,cuda", "cuda:device", "system,cuda:host:device,mpi"})
    CHECK(lists_gpu_memory(kinds));
  for (const char* kinds : {"", "mpi,system", "cuda:host", "rocm:device", "mpi,cuda:managed,rocm"})
    CHECK(!lists_gpu_memory(kinds));
}

TEST(a_table_says_whether_it_takes_a_gpus_memory) {
  hpmp_comm_table table = PartsTransport().table();
  CHECK(!table_communicator(table)->takes_gpu_memory());
  table.gpu_memory = 1;
  CHECK(table_communicator(table)->takes_gpu_memory());
}
