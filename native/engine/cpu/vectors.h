// Vectors of floats for the files that are compiled once per instruction set (isa.h): each version
// is a namespace of its own, HPMP_ISA, with registers of HPMP_LANES floats.
#ifndef HPMP_LANES
#error "define HPMP_LANES, the floats of a register, and HPMP_ISA, the namespace"
#endif

#ifdef __AVX__
#include <immintrin.h>
#endif

#include "engine/bf16.h"

#define HPMP_FORCED __attribute__((always_inline))
#define HPMP_INLINE inline HPMP_FORCED

namespace hpmp::cpu::HPMP_ISA {

/// W floats, or doubles: vectors, or plain numbers where W is 1.
template <int W>
struct Types {
  typedef float Float __attribute__((vector_size(4 * W)));
  typedef double Double __attribute__((vector_size(8 * W)));
};
template <>
struct Types<1> {
  using Float = float;
  using Double = double;
};
template <int W>
using Float = typename Types<W>::Float;
template <int W>
using Double = typename Types<W>::Double;

template <int W>
HPMP_INLINE Float<W> load(const float* at) {
  Float<W> v;
  __builtin_memcpy(&v, at, sizeof v);
  return v;
}
template <int W>
HPMP_INLINE void store(float* at, const Float<W>& v) {
  __builtin_memcpy(at, &v, sizeof v);
}
template <int W>
struct Halves {
  typedef std::uint16_t Short __attribute__((vector_size(2 * W)));
  typedef std::uint32_t Word __attribute__((vector_size(4 * W)));
};

template <int W>
HPMP_INLINE Float<W> load(const Bf16* at) {
  if constexpr (W == 1) {
    return *at;
  } else {
    typename Halves<W>::Short halves;
    __builtin_memcpy(&halves, at, sizeof halves);
    using Word = typename Halves<W>::Word;
#ifdef __AVX512F__  // gcc 12 makes of a conversion two of its halves
    if constexpr (W == 16)
      return (Float<W>)((Word)_mm512_maskz_cvtepu16_epi32(0xffff, (__m256i)halves) << 16);
#endif
    return (Float<W>)(__builtin_convertvector(halves, Word) << 16);
  }
}
/// The nearest, the even one of two; NaN stays NaN.
template <int W>
HPMP_INLINE void store(Bf16* at, const Float<W>& v) {
  if constexpr (W == 1) {
    *at = Bf16(v);
    return;
#ifdef __AVX512BF16__
  } else if constexpr (W == 16) {
    const __m256bh halves = _mm512_cvtneps_pbh((__m512)v);
    __builtin_memcpy(at, &halves, sizeof halves);
  } else if constexpr (W == 8) {
    const __m128bh halves = _mm256_cvtneps_pbh((__m256)v);
    __builtin_memcpy(at, &halves, sizeof halves);
#endif
  } else {
    using Word = typename Halves<W>::Word;
    const Word whole = (Word)v;
    const Word rounded = whole + 0x7fffU + ((whole >> 16) & 1U);
    const auto halves = __builtin_convertvector((v != v ? whole | 0x400000U : rounded) >> 16,
                                                typename Halves<W>::Short);
    __builtin_memcpy(at, &halves, sizeof halves);
  }
}

template <int W>
HPMP_INLINE Double<W> wide(const Float<W>& v) {
  if constexpr (W == 1) {
    return v;
#ifdef __AVX512F__  // gcc 12 makes of a conversion two of its halves
  } else if constexpr (W == 8) {
    return (Double<W>)_mm512_maskz_cvtps_pd(0xff, (__m256)v);
#endif
#ifdef __AVX__
  } else if constexpr (W == 4) {
    return (Double<W>)_mm256_cvtps_pd((__m128)v);
#endif
  } else {
    return __builtin_convertvector(v, Double<W>);
  }
}

/// Stores past the caches where the address is that of a whole register: for what is not read soon.
template <int W>
HPMP_INLINE void stream(float* at, const Float<W>& v) {
  if (reinterpret_cast<__UINTPTR_TYPE__>(at) % sizeof v != 0) return store<W>(at, v);
#ifdef __AVX512F__
  if constexpr (W == 16) return _mm512_stream_ps(at, (__m512)v);
#endif
#ifdef __AVX__
  if constexpr (W == 8) return _mm256_stream_ps(at, (__m256)v);
#endif
  store<W>(at, v);
}
/// Before another thread reads what was streamed.
HPMP_INLINE void end_streams() {
#ifdef __AVX__
  _mm_sfence();
#endif
}

#ifdef __AVX512BF16__
using Pairs = __m512bh;  // of bf16; dot() multiplies and adds those of a lane

HPMP_INLINE Pairs load_pairs(const void* at) {
  Pairs v;
  __builtin_memcpy(&v, at, sizeof v);
  return v;
}
/// The two at `at` in every lane.
HPMP_INLINE Pairs repeat(const Bf16* at) {
  std::int32_t two;
  __builtin_memcpy(&two, at, sizeof two);
  return (Pairs)_mm512_set1_epi32(two);
}
HPMP_INLINE Float<16> dot(const Float<16>& sum, Pairs a, Pairs b) {
  return (Float<16>)_mm512_dpbf16_ps((__m512)sum, a, b);
}
/// 16 of `low`, then 16 of `high`.
HPMP_INLINE Pairs rounded(const Float<16>& low, const Float<16>& high) {
  return _mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
}

using Shorts = std::uint16_t __attribute__((vector_size(64)));

/// Lane c has the c-th of both halves.
HPMP_INLINE Pairs interleaved(Pairs halves) {
  Shorts order;
  for (int c = 0; c < 16; ++c) {
    order[2 * c] = static_cast<std::uint16_t>(c);
    order[2 * c + 1] = static_cast<std::uint16_t>(16 + c);
  }
  return (Pairs)__builtin_shuffle((Shorts)halves, order);
}
#endif

}  // namespace hpmp::cpu::HPMP_ISA
