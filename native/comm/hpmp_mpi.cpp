// libhpmp_mpi.so: the transport table over MPI; the only source that is compiled against an MPI.
#include <dlfcn.h>
#include <mpi.h>

#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "comm/memory_kinds.h"
#include "include/hpmp_comm.h"

#define HPMP_MPI_API extern "C" __attribute__((visibility("default")))

/// The file of the MPI library bound at run time.
HPMP_MPI_API const char* hpmp_mpi_library_path() {
  Dl_info info;
  int (*symbol)(int*) = MPI_Initialized;
  return dladdr(reinterpret_cast<void*>(symbol), &info) && info.dli_fname ? info.dli_fname : "";
}

namespace {

// Handles are ints in one MPI and pointers in another; both fit the table's words.
template <class To, class From>
To word(From from) {
  To to{};
  std::memcpy(&to, &from, sizeof(To) < sizeof(From) ? sizeof(To) : sizeof(From));
  return to;
}

int start_send(void* context, const void* data, std::int64_t bytes, std::int32_t peer,
               std::int32_t tag, hpmp_comm_request* request) {
  MPI_Request started;
#if MPI_VERSION >= 4
  const int code = MPI_Isend_c(data, bytes, MPI_BYTE, peer, tag, word<MPI_Comm>(context), &started);
#else
  const int code = MPI_Isend(data, static_cast<int>(bytes), MPI_BYTE, peer, tag,
                             word<MPI_Comm>(context), &started);
#endif
  *request = word<hpmp_comm_request>(started);
  return code;
}

int start_recv(void* context, void* data, std::int64_t bytes, std::int32_t peer, std::int32_t tag,
               hpmp_comm_request* request) {
  MPI_Request started;
#if MPI_VERSION >= 4
  const int code = MPI_Irecv_c(data, bytes, MPI_BYTE, peer, tag, word<MPI_Comm>(context), &started);
#else
  const int code = MPI_Irecv(data, static_cast<int>(bytes), MPI_BYTE, peer, tag,
                             word<MPI_Comm>(context), &started);
#endif
  *request = word<hpmp_comm_request>(started);
  return code;
}

int test(void*, hpmp_comm_request* request, int* done) {
  MPI_Request tested = word<MPI_Request>(*request);
  const int code = MPI_Test(&tested, done, MPI_STATUS_IGNORE);
  *request = word<hpmp_comm_request>(tested);
  return code;
}

const char* error_text(void*, int code) {
  static thread_local char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  return MPI_Error_string(code, text, &length) == MPI_SUCCESS ? text : "unknown MPI error";
}

std::int32_t max_tag(MPI_Comm comm) {
  void* value = nullptr;
  int found = 0;
  MPI_Comm_get_attr(comm, MPI_TAG_UB, &value, &found);
  return found ? *static_cast<int*>(value) : 32767;  // 32767: what the standard promises
}

std::string memory_kinds(MPI_Comm comm) {
  std::string kinds;
#if MPI_VERSION >= 4
  MPI_Info info;
  if (MPI_Comm_get_info(comm, &info) != MPI_SUCCESS) return kinds;
  char value[1024] = {};
  int length = sizeof value, found = 0;
  MPI_Info_get_string(info, "mpi_memory_alloc_kinds", &length, value, &found);
  MPI_Info_free(&info);
  if (found) kinds = value;
#else
  (void)comm;
#endif
  return kinds;
}

/// A function of the MPI library bound at run time, which its headers may not have.
template <class Function>
Function* extension(const char* name) {
  void* library = dlopen(hpmp_mpi_library_path(), RTLD_LAZY | RTLD_NOLOAD);
  return library == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(library, name));
}

/// What was set, then what the MPI says; nothing is sent to find out, which could crash.
bool takes_gpu_memory(MPI_Comm comm) {
  const char* given = std::getenv("HPMP_GPU_MPI");
  if (given != nullptr && std::strcmp(given, "0") == 0) return false;
  if (given != nullptr && std::strcmp(given, "1") == 0) return true;
  if (hpmp::lists_gpu_memory(memory_kinds(comm))) return true;
  if (const auto query = extension<int()>("MPIX_Query_cuda_support")) return query() == 1;
  constexpr int kCuda = 0;  // MPIX_GPU_SUPPORT_CUDA of MPICH
  int supported = 0;
  const auto query = extension<int(int, int*)>("MPIX_GPU_query_support");
  return query != nullptr && query(kCuda, &supported) == MPI_SUCCESS && supported != 0;
}

}  // namespace

/// Fills `table` for the communicator that `comm.toint()` of mpi4py names. Returns an MPI code.
HPMP_MPI_API int hpmp_mpi_table(int comm_integer, hpmp_comm_table* table) {
#if MPI_VERSION >= 5
  const MPI_Comm comm = MPI_Comm_fromint(comm_integer);
#else
  const MPI_Comm comm = MPI_Comm_f2c(comm_integer);
#endif
  std::memset(table, 0, sizeof *table);
  int code = MPI_Comm_rank(comm, &table->rank);
  if (code == MPI_SUCCESS) code = MPI_Comm_size(comm, &table->size);
  if (code != MPI_SUCCESS) return code;
  table->version = HPMP_COMM_TABLE_VERSION;
  table->table_bytes = sizeof *table;
  table->context = word<void*>(comm);
  table->max_tag = max_tag(comm);
  table->gpu_memory = takes_gpu_memory(comm);
  table->max_message_bytes = MPI_VERSION >= 4 ? INT64_MAX : INT_MAX;
  table->isend = start_send;
  table->irecv = start_recv;
  table->test = test;
  table->error_text = error_text;
  return MPI_SUCCESS;
}

HPMP_MPI_API int hpmp_mpi_table_bytes() { return sizeof(hpmp_comm_table); }

/// 1 where the MPI that this library is bound to has been initialised.
HPMP_MPI_API int hpmp_mpi_initialized() {
  int flag = 0;
  MPI_Initialized(&flag);
  return flag;
}

/// What the MPI library bound at run time says of itself.
HPMP_MPI_API const char* hpmp_mpi_library_version() {
  static char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  return text;
}

/// The ABI family of the headers: handles and constants of the two do not mix.
HPMP_MPI_API const char* hpmp_mpi_built_family() {
#if defined(OPEN_MPI)
  return "openmpi";
#elif defined(MPICH_VERSION) || defined(MPICH) || defined(I_MPI_VERSION)
  return "mpich";
#else
  return "unknown";
#endif
}

/// The compiler wrapper, or the wheel, that it was built with.
HPMP_MPI_API const char* hpmp_mpi_built_with() { return HPMP_MPI_NAME; }
