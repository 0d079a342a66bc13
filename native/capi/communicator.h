// The communicator handle: its own transport, or one end of a world of threads.
#pragma once

#include <memory>

#include "comm/communicator.h"
#include "include/hpmp.h"

struct hpmp_communicator {
  std::unique_ptr<hpmp::Communicator> owned;  // null where a world owns it
  hpmp::Communicator* communicator = nullptr;
};
