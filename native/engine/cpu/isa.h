// Which instruction set the hand-written loops may use beyond the one the library is built for.
// Files called isa_avx512.cpp are compiled for it alone; they must not instantiate or inline
// anything that other files use too, or the linker might keep their version for every machine.
// Nothing in them runs where these say no: their tables are constants.
#pragma once

namespace hpmp::cpu {

/// Whether this machine has AVX-512 (F, BW, CD, DQ, VL) and oneDNN was not told to leave it.
bool has_avx512();
/// Whether it has AVX512-BF16, too.
bool has_avx512_bf16();

}  // namespace hpmp::cpu
