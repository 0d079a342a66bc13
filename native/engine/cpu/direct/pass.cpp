#include "engine/cpu/direct/pass.h"

namespace hpmp::cpu {

const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

memory::desc describe(const memory::dims& dims, memory::format_tag layout, DType dtype) {
  return {dims, dtype == DType::bf16 ? memory::data_type::bf16 : memory::data_type::f32, layout};
}

memory unbound(const memory::desc& desc) { return {desc, cpu_engine(), DNNL_MEMORY_NONE}; }

}  // namespace hpmp::cpu
