// C functions of communicators: a given transport, or threads of one process.
#include "capi/communicator.h"

#include "capi/wall.h"
#include "comm/loopback.h"
#include "comm/table.h"

struct hpmp_world {
  hpmp::LoopbackWorld world;
};

using namespace hpmp;
using namespace hpmp::capi;

extern "C" {

hpmp_status hpmp_world_create(int32_t size, hpmp_world** out) {
  return wall([&] {
    if (size < 1) fail(ErrorCode::invalid_argument, "a world needs at least 1 rank");
    given(out, "out") = new hpmp_world{LoopbackWorld(size)};
  });
}

void hpmp_world_free(hpmp_world* world) { delete world; }

hpmp_status hpmp_world_communicator(hpmp_world* world, int32_t rank, hpmp_communicator** out) {
  return wall([&] {
    LoopbackWorld& ranks = given(world, "world").world;
    checked_index(rank, static_cast<std::size_t>(ranks.size()), "rank");
    given(out, "out") = new hpmp_communicator{nullptr, &ranks.communicator(rank)};
  });
}

hpmp_status hpmp_world_poison(hpmp_world* world, int32_t rank, const char* message) {
  return wall([&] { given(world, "world").world.poison(rank, &given(message, "message")); });
}

hpmp_status hpmp_communicator_create(const hpmp_comm_table* table, hpmp_communicator** out) {
  return wall([&] {
    auto handle = std::make_unique<hpmp_communicator>();
    handle->owned = table_communicator(given(table, "table"));
    handle->communicator = handle->owned.get();
    given(out, "out") = handle.release();
  });
}

void hpmp_communicator_free(hpmp_communicator* communicator) { delete communicator; }

hpmp_status hpmp_communicator_get(const hpmp_communicator* communicator, int32_t* rank,
                                  int32_t* size) {
  return wall([&] {
    const Communicator& comm = *given(communicator, "communicator").communicator;
    given(rank, "rank") = comm.rank();
    given(size, "size") = comm.size();
  });
}
}
