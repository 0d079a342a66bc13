// A communicator over a transport table, as MPI or an embedder gives it.
#pragma once

#include <memory>

#include "comm/communicator.h"

extern "C" struct hpmp_comm_table;

namespace hpmp {

/// Copies the table; its context must outlive the communicator.
/// Errors: `invalid_argument` where the table's version or its ranks are not ours.
std::unique_ptr<Communicator> table_communicator(const hpmp_comm_table& table);

}  // namespace hpmp
