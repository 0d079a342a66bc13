#include "comm/table.h"

#include <algorithm>

#include "base/error.h"
#include "include/hpmp_comm.h"

namespace hpmp {

namespace {

class TableCommunicator : public Communicator {
 public:
  explicit TableCommunicator(const hpmp_comm_table& table) : table_(table) {}
  Rank rank() const override { return table_.rank; }
  int size() const override { return table_.size; }
  bool takes_gpu_memory() const override { return table_.gpu_memory != 0; }

  Request isend(const void* data, std::size_t bytes, Rank to, Tag tag) override {
    const char* from = static_cast<const char*>(data);
    return parts(bytes, to, tag, [&](std::int64_t at, std::int64_t size, hpmp_comm_request* out) {
      return table_.isend(table_.context, from + at, size, to, tag, out);
    });
  }

  Request irecv(void* data, std::size_t bytes, Rank from, Tag tag) override {
    char* target = static_cast<char*>(data);
    return parts(bytes, from, tag, [&](std::int64_t at, std::int64_t size, hpmp_comm_request* out) {
      return table_.irecv(table_.context, target + at, size, from, tag, out);
    });
  }

  bool test(Request& request) override {
    while (request.active) {
      int done = 0;
      const int code = table_.test(table_.context, &request.handle, &done);
      if (code != 0) failed(code, "a message");
      if (!done) return false;
      request.active = !request.rest.empty();
      if (!request.active) break;
      request.handle = request.rest.back();
      request.rest.pop_back();
    }
    return true;
  }

 private:
  /// Starts the parts of a message in order; the same tag keeps them in order on the other side.
  template <class Start>
  Request parts(std::size_t bytes, Rank peer, Tag tag, Start start) {
    if (tag < 0 || tag > table_.max_tag) {
      fail(ErrorCode::comm_error, "message tag " + std::to_string(tag) + " is outside 0.." +
                                      std::to_string(table_.max_tag) +
                                      ", what this MPI allows; plan with fewer shards or blocks");
    }
    const std::int64_t total = static_cast<std::int64_t>(bytes);
    Request request;
    request.active = true;
    std::int64_t at = 0;
    do {
      const std::int64_t size = std::min(table_.max_message_bytes, total - at);
      hpmp_comm_request handle = 0;
      const int code = start(at, size, &handle);
      if (code != 0) failed(code, "a message with rank " + std::to_string(peer));
      at == 0 ? void(request.handle = handle) : request.rest.push_back(handle);
      at += size;
    } while (at < total);
    return request;
  }

  [[noreturn]] void failed(int code, const std::string& what) const {
    const char* text = table_.error_text ? table_.error_text(table_.context, code) : nullptr;
    fail(ErrorCode::comm_error, "rank " + std::to_string(rank()) + ": " + what +
                                    " failed: " + (text ? text : "code " + std::to_string(code)));
  }

  const hpmp_comm_table table_;
};

}  // namespace

std::unique_ptr<Communicator> table_communicator(const hpmp_comm_table& table) {
  if (table.version != HPMP_COMM_TABLE_VERSION || table.table_bytes != sizeof(hpmp_comm_table)) {
    fail(ErrorCode::invalid_argument,
         "transport table has version " + std::to_string(table.version) + " and " +
             std::to_string(table.table_bytes) + " bytes, this library needs version " +
             std::to_string(HPMP_COMM_TABLE_VERSION) + " and " +
             std::to_string(sizeof(hpmp_comm_table)) + "; build both from the same source");
  }
  const bool ranks_are_sane = table.size > 0 && table.rank >= 0 && table.rank < table.size;
  if (!ranks_are_sane || !table.isend || !table.irecv || !table.test ||
      table.max_message_bytes <= 0) {
    fail(ErrorCode::invalid_argument, "transport table of rank " + std::to_string(table.rank) +
                                          " of " + std::to_string(table.size) +
                                          " is incomplete; fill every field");
  }
  return std::make_unique<TableCommunicator>(table);
}

}  // namespace hpmp
