#include "blocks.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

namespace fake_cuda {
namespace {

/// What a handle holds.
struct Name {
  int process, file;
  std::size_t bytes;
};

std::mutex lock;
std::map<void*, std::size_t>& opened() {
  static auto* all = new std::map<void*, std::size_t>;
  return *all;
}

void* mapped(int file, std::size_t bytes) {
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  return data == MAP_FAILED ? nullptr : data;
}

}  // namespace

Block take_block(std::size_t bytes) {
  constexpr std::size_t kShared = std::size_t{2} << 20;
  Block block{nullptr, bytes, -1};
  if (bytes % kShared != 0 || bytes == 0) {
    block.data = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
    return block;
  }
  block.file = memfd_create("fake_gpu", MFD_CLOEXEC);
  if (block.file < 0 || ftruncate(block.file, static_cast<off_t>(bytes)) != 0) std::abort();
  block.data = mapped(block.file, bytes);
  return block;
}

void free_block(const Block& block) {
  if (block.file < 0) return std::free(block.data);
  munmap(block.data, block.bytes);
  close(block.file);
}

bool handle_of(const Block& block, Handle& handle) {
  const Name name{getpid(), block.file, block.bytes};
  std::memcpy(handle.bytes, &name, sizeof name);
  return block.file >= 0;
}

void* open_block(const Handle& handle) {
  Name name;
  std::memcpy(&name, handle.bytes, sizeof name);
  if (name.process == getpid()) return nullptr;
  const std::string path =
      "/proc/" + std::to_string(name.process) + "/fd/" + std::to_string(name.file);
  const int file = open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return nullptr;
  void* data = mapped(file, name.bytes);
  close(file);
  const std::lock_guard<std::mutex> guard(lock);
  if (data != nullptr) opened()[data] = name.bytes;
  return data;
}

bool close_block(void* data) {
  const std::lock_guard<std::mutex> guard(lock);
  const auto found = opened().find(data);
  if (found == opened().end()) return false;
  munmap(data, found->second);
  opened().erase(found);
  return true;
}

}  // namespace fake_cuda
