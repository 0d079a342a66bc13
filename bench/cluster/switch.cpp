// The switch of an emulated cluster: carries IP packets between hosts at a given rate and delay.
//
//   switch SETTINGS HOST0 HOST1 ...
//
// A HOST is the file of a network namespace; its interface eth0 (TUN, with segmentation offload, so
// that a system call moves up to 64 KiB) ends here. Packets for a.b.c.(i+1) go to host i. SETTINGS
// is a file of two int64, picoseconds per byte and nanoseconds of delay, that may be changed at any
// time. Says "ready" when the interfaces exist, and runs until it is killed.
//
// A packet occupies its sender's wire, then its receiver's (which may begin while the first byte
// is still on the sender's), and arrives a delay later. While a sender's wire is busy its packets
// wait in its own kernel, where TCP sees them, as behind a network card: nothing is dropped here.
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <limits>
#include <memory>
#include <vector>

namespace {

using Nanoseconds = int64_t;

constexpr Nanoseconds kNever = std::numeric_limits<Nanoseconds>::max();
constexpr Nanoseconds kAhead = 200'000;  // so much of a wire's work is taken in before it is due
constexpr int64_t kFrameBytes = 38;      // preamble, Ethernet header, checksum and gap
constexpr int64_t kHeaderBytes = 52;     // IP and TCP with time stamps

/// What TUN puts before a packet: virtio_net_hdr of linux/virtio_net.h, which is not C++.
struct Offload {
  uint8_t flags, gso_type;
  uint16_t header_size, gso_size, checksum_start, checksum_offset;
};

constexpr size_t kLargest = 65536 + sizeof(Offload);
constexpr size_t kDestination = sizeof(Offload) + 16;  // of an IPv4 header

struct Settings {
  volatile int64_t picoseconds_per_byte;
  volatile int64_t delay_ns;
};

using Buffer = std::unique_ptr<char[]>;

struct Packet {
  Nanoseconds due;
  size_t size;
  Buffer data;
};

struct Host {
  int tun = -1;
  Nanoseconds sends_until = 0;
  Nanoseconds receives_until = 0;
  std::deque<Packet> arriving;
};

[[noreturn]] void fail(const char* what, const char* name) {
  std::fprintf(stderr, "switch: cannot %s %s: %s\n", what, name, std::strerror(errno));
  std::exit(1);
}

Nanoseconds now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

const Settings* settings_in(const char* path) {
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) fail("open", path);
  void* memory = mmap(nullptr, sizeof(Settings), PROT_READ, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) fail("map", path);
  return static_cast<const Settings*>(memory);
}

/// The interface of a host; this thread stays in that namespace, where TUN makes the interface.
int interface_in(const char* space) {
  const int file = open(space, O_RDONLY | O_CLOEXEC);
  if (file < 0 || setns(file, CLONE_NEWNET) != 0) fail("enter", space);
  close(file);
  const int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tun < 0) fail("open", "/dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  std::strcpy(request.ifr_name, "eth0");
  if (ioctl(tun, TUNSETIFF, &request) != 0) fail("make eth0 in", space);
  if (ioctl(tun, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4) != 0) fail("offload segments in", space);
  return tun;
}

class Switch {
 public:
  Switch(const Settings* settings, std::vector<Host> hosts)
      : settings_(settings), hosts_(std::move(hosts)), polled_(hosts_.size()) {}

  [[noreturn]] void run() {
    for (;;) {
      const Nanoseconds next = std::min(deliver(), watch());
      wait(next);
      for (size_t i = 0; i < hosts_.size(); ++i)
        if (polled_[i].revents != 0) take_in(hosts_[i]);
    }
  }

 private:
  /// Hands over what has arrived; when the next packet arrives.
  Nanoseconds deliver() {
    Nanoseconds next = kNever;
    for (Host& host : hosts_) {
      while (!host.arriving.empty() && host.arriving.front().due <= now()) {
        Packet& packet = host.arriving.front();
        // A host that is down receives nothing, as behind a real cable.
        [[maybe_unused]] const ssize_t written = write(host.tun, packet.data.get(), packet.size);
        spare_.push_back(std::move(packet.data));
        host.arriving.pop_front();
      }
      if (!host.arriving.empty()) next = std::min(next, host.arriving.front().due);
    }
    return next;
  }

  /// Chooses the hosts whose packets are wanted; when the wire of another one is free.
  Nanoseconds watch() {
    Nanoseconds next = kNever;
    const Nanoseconds time = now();
    for (size_t i = 0; i < hosts_.size(); ++i) {
      const Nanoseconds opens = hosts_[i].sends_until - kAhead;
      polled_[i] = {opens <= time ? hosts_[i].tun : -1, POLLIN, 0};
      if (opens > time) next = std::min(next, opens);
    }
    return next;
  }

  void wait(Nanoseconds until) {
    const Nanoseconds left = std::max<Nanoseconds>(until == kNever ? 0 : until - now(), 0);
    const timespec time{left / 1'000'000'000, left % 1'000'000'000};
    const int ready =
        ppoll(polled_.data(), polled_.size(), until == kNever ? nullptr : &time, nullptr);
    if (ready < 0 && errno != EINTR) fail("wait for", "packets");
  }

  void take_in(Host& sender) {
    while (sender.sends_until - kAhead <= now()) {
      Buffer data = buffer();
      const ssize_t size = read(sender.tun, data.get(), kLargest);
      if (size > static_cast<ssize_t>(kDestination) + 4)
        carry(sender, {0, static_cast<size_t>(size), std::move(data)});
      if (size <= 0) return spare_.push_back(std::move(data));
    }
  }

  void carry(Host& sender, Packet packet) {
    const auto* address = reinterpret_cast<const unsigned char*>(packet.data.get() + kDestination);
    const size_t to = address[3] - 1U;
    if (to >= hosts_.size()) return;  // a multicast, or a host that does not exist
    Host& receiver = hosts_[to];
    const Nanoseconds length = time_on_wire(packet);
    sender.sends_until = std::max(sender.sends_until, now()) + length;
    receiver.receives_until = std::max(receiver.receives_until + length, sender.sends_until);
    packet.due = receiver.receives_until + settings_->delay_ns;
    receiver.arriving.push_back(std::move(packet));
  }

  /// Of all frames that a network card would make of it.
  Nanoseconds time_on_wire(const Packet& packet) const {
    Offload offload{};
    std::memcpy(&offload, packet.data.get(), sizeof offload);
    const auto bytes = static_cast<int64_t>(packet.size - sizeof offload);
    int64_t frames = 1;
    if (offload.gso_size != 0)
      frames = (bytes - kHeaderBytes + offload.gso_size - 1) / offload.gso_size;
    const int64_t all = bytes + frames * kFrameBytes + (frames - 1) * kHeaderBytes;
    return all * settings_->picoseconds_per_byte / 1000;
  }

  Buffer buffer() {
    if (spare_.empty()) return Buffer(new char[kLargest]);
    Buffer last = std::move(spare_.back());
    spare_.pop_back();
    return last;
  }

  const Settings* settings_;
  std::vector<Host> hosts_;
  std::vector<pollfd> polled_;
  std::vector<Buffer> spare_;
};

}  // namespace

int main(int count, char** words) {
  if (count < 3) {
    std::fprintf(stderr, "usage: switch SETTINGS NAMESPACE...\n");
    return 2;
  }
  prctl(PR_SET_TIMERSLACK, 1);
  const Settings* settings = settings_in(words[1]);
  std::vector<Host> hosts(static_cast<size_t>(count) - 2);
  for (size_t i = 0; i < hosts.size(); ++i) hosts[i].tun = interface_in(words[i + 2]);
  std::puts("ready");
  std::fflush(stdout);
  Switch(settings, std::move(hosts)).run();
}
