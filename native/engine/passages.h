// How the messages of a rank travel, agreed on with the other ranks pair by pair.
#pragma once

#include <functional>
#include <vector>

#include "comm/communicator.h"
#include "comm/wait.h"
#include "engine/ferry.h"
#include "plan/plan.h"

namespace hpmp {

/// Of the messages that the program receives.
std::int64_t dock_bytes(const RankProgram& program);

/// Where a message is packed or unpacked, of its planned buffer.
using BufferOf = std::function<std::byte*(const PlannedTensor&)>;

/// Every message that the rank sends or receives. `docks`: dock_bytes of its own; null on the host,
/// where all that counts are the buffers. Collective on GPUs: messages go by these themselves where
/// the sender reaches the receiver's docks, else by a transport that takes a GPU's memory, else
/// through the host's. Errors: `comm_error`.
std::vector<FerryLoad> ferry_loads(const Plan& plan, Communicator& comm, const BufferOf& buffer_of,
                                   Docks* docks, const WaitOptions& options);

}  // namespace hpmp
