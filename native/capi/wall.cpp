// Error memory per thread, and strings that cross the interface.
#include "capi/wall.h"

#include <cstdlib>
#include <cstring>

namespace hpmp::capi {

namespace {

thread_local std::string last_error;

static_assert(static_cast<int>(ErrorCode::invalid_model) == HPMP_INVALID_MODEL);
static_assert(static_cast<int>(ErrorCode::unsupported_op) == HPMP_UNSUPPORTED_OP);
static_assert(static_cast<int>(ErrorCode::invalid_argument) == HPMP_INVALID_ARGUMENT);
static_assert(static_cast<int>(ErrorCode::infeasible) == HPMP_INFEASIBLE);
static_assert(static_cast<int>(ErrorCode::invalid_plan) == HPMP_INVALID_PLAN);
static_assert(static_cast<int>(ErrorCode::out_of_memory) == HPMP_OUT_OF_MEMORY);
static_assert(static_cast<int>(ErrorCode::device_error) == HPMP_DEVICE_ERROR);
static_assert(static_cast<int>(ErrorCode::comm_error) == HPMP_COMM_ERROR);
static_assert(static_cast<int>(ErrorCode::internal) == HPMP_INTERNAL);

}  // namespace

hpmp_status remember(hpmp_status status, const char* message) noexcept {
  try {
    last_error = message;
  } catch (...) {
    last_error.clear();  // no memory for the message: the status alone must do
  }
  return status;
}

char* copied(const std::string& text) {
  char* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (!copy) throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

}  // namespace hpmp::capi

extern "C" {

int32_t hpmp_api_version(void) { return HPMP_API_VERSION; }

const char* hpmp_last_error(void) { return hpmp::capi::last_error.c_str(); }

void hpmp_free(void* memory) { std::free(memory); }
}
