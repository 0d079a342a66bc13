// The memory of the fake GPU: what other processes may open is shared memory, the rest is not.
#pragma once

#include <cstddef>

namespace fake_cuda {

struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;
  int file = -1;  // of shared memory
};

/// What names a block in other processes: CUipcMemHandle.
struct Handle {
  unsigned char bytes[64];
};

/// Shared in multiples of 2 MiB only: files are few.
Block take_block(std::size_t bytes);
void free_block(const Block& block);

/// Whether it can be opened.
bool handle_of(const Block& block, Handle& handle);
/// Null within the process itself, as a driver refuses that, and where there is no such block.
void* open_block(const Handle& handle);
/// Whether it was open.
bool close_block(void* data);

}  // namespace fake_cuda
