// Loopback: K communicators in one process, used by K threads; for tests and for embedding.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"

namespace hpmp {

enum class SendMode {
  synchronous,  // a send is done when its receive has been posted: what a plan must survive
  buffered,     // a send is done at once; its data are copied
};

/// A rank's messages to itself work too. When one rank fails, `poison` makes every wait of the
/// others throw instead of hanging.
class LoopbackWorld {
 public:
  explicit LoopbackWorld(int size, SendMode mode = SendMode::synchronous);
  ~LoopbackWorld();
  LoopbackWorld(const LoopbackWorld&) = delete;
  LoopbackWorld& operator=(const LoopbackWorld&) = delete;

  int size() const;
  /// Lives as long as the world.
  Communicator& communicator(Rank r);
  /// The first message stays. From now on every call on every communicator throws `comm_error`
  /// with it, and no buffer is touched any more.
  void poison(Rank culprit, const std::string& message);

 private:
  struct State;
  class End;
  std::unique_ptr<State> state_;
  std::vector<std::unique_ptr<End>> ends_;
};

}  // namespace hpmp
