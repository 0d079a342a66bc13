// Checks of tensors that come in as DLPack.
#include "capi/dlpack.h"

#include <algorithm>

#include "base/error.h"

namespace hpmp::capi {

namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& got, const char* rule) {
  fail(ErrorCode::invalid_argument, what + ": " + got + "; " + rule);
}

std::string shape_text(const std::int64_t* begin, const std::int64_t* end) {
  std::string text = "(";
  for (auto d = begin; d != end; ++d) text += (d == begin ? "" : ", ") + std::to_string(*d);
  return text + ")";
}

std::string dtype_text(DLDataType dtype) {
  static const char* const kNames[] = {"int",    "uint",    "float", "opaque",
                                       "bfloat", "complex", "bool"};
  const std::string name =
      dtype.code < 7 ? kNames[dtype.code] : "type " + std::to_string(dtype.code);
  const std::string lanes = dtype.lanes == 1 ? "" : "x" + std::to_string(dtype.lanes);
  return name + std::to_string(dtype.bits) + lanes;
}

void check_type(const DLTensor& t, const std::string& what, std::uint8_t code, std::uint8_t bits,
                const char* rule) {
  if (t.device.device_type != kDLCPU) {
    refuse(what, "device type " + std::to_string(t.device.device_type),
           "this build reads CPU memory; copy the array to the host");
  }
  if (t.dtype.code != code || t.dtype.bits != bits || t.dtype.lanes != 1) {
    refuse(what, "dtype " + dtype_text(t.dtype), rule);
  }
}

void check_contiguous(const DLTensor& t, const std::string& what) {
  if (!t.strides) return;
  std::int64_t expected = 1;
  for (int d = t.ndim - 1; d >= 0; --d) {
    if (t.shape[d] != 1 && t.strides[d] != expected) {
      refuse(what, "not contiguous", "pass a C-order copy (numpy.ascontiguousarray)");
    }
    expected *= t.shape[d];
  }
}

void check_shape(const DLTensor& t, const std::string& what,
                 const std::vector<std::vector<std::int64_t>>& shapes) {
  std::string wanted;
  for (const auto& shape : shapes) {
    if (std::equal(t.shape, t.shape + t.ndim, shape.begin(), shape.end())) return;
    wanted +=
        (wanted.empty() ? "" : " or ") + shape_text(shape.data(), shape.data() + shape.size());
  }
  refuse(what, "shape " + shape_text(t.shape, t.shape + t.ndim),
         ("the plan needs " + wanted).c_str());
}

const void* data_of(const DLTensor& t) { return static_cast<const char*>(t.data) + t.byte_offset; }

}  // namespace

const float* float_data(const DLTensor& tensor, const std::string& what,
                        const std::vector<std::vector<std::int64_t>>& shapes) {
  check_type(tensor, what, kDLFloat, 32, "pass float32");
  check_shape(tensor, what, shapes);
  check_contiguous(tensor, what);
  return static_cast<const float*>(data_of(tensor));
}

const std::int64_t* int64_data(const DLTensor& tensor, const std::string& what,
                               const std::vector<std::int64_t>& shape) {
  check_type(tensor, what, kDLInt, 64, "pass int64 class numbers");
  check_shape(tensor, what, {shape});
  check_contiguous(tensor, what);
  return static_cast<const std::int64_t*>(data_of(tensor));
}

}  // namespace hpmp::capi
