// The one wall that catches: no exception leaves a C function.
#pragma once

#include <new>
#include <string>

#include "base/error.h"
#include "include/hpmp.h"

namespace hpmp::capi {

/// Keeps the message for hpmp_last_error() of this thread.
hpmp_status remember(hpmp_status status, const char* message) noexcept;

/// Runs `body`; turns what it throws into a status and a message.
template <class Body>
hpmp_status wall(Body&& body) noexcept {
  try {
    body();
    return HPMP_OK;
  } catch (const Error& error) {
    return remember(static_cast<hpmp_status>(error.code()), error.what());
  } catch (const std::bad_alloc&) {
    return remember(HPMP_OUT_OF_MEMORY,
                    "out of memory; use more ranks, more shards or a smaller batch");
  } catch (const std::exception& error) {
    return remember(HPMP_INTERNAL, error.what());
  } catch (...) {
    return remember(HPMP_INTERNAL, "internal error: an exception of unknown type");
  }
}

/// The object behind a pointer argument. Errors: `invalid_argument` where it is null.
template <class T>
T& given(T* pointer, const char* argument) {
  if (!pointer) fail(ErrorCode::invalid_argument, std::string(argument) + " is null");
  return *pointer;
}

/// Errors: `invalid_argument` for an index outside [0, size).
inline std::size_t checked_index(std::int64_t index, std::size_t size, const char* what) {
  if (index < 0 || static_cast<std::size_t>(index) >= size) {
    fail(ErrorCode::invalid_argument, std::string(what) + " " + std::to_string(index) +
                                          " does not exist; there are " + std::to_string(size));
  }
  return static_cast<std::size_t>(index);
}

/// Errors: `invalid_argument` where an array has another length than is needed.
inline void check_count(std::int64_t got, std::int64_t want, const std::string& what) {
  if (got != want) {
    fail(ErrorCode::invalid_argument,
         what + " has " + std::to_string(got) + " elements; it needs " + std::to_string(want));
  }
}

/// A copy that hpmp_free releases.
char* copied(const std::string& text);

}  // namespace hpmp::capi
