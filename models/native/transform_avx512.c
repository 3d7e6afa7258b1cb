/* transform_avx512.c - the kernels for x86-64 with AVX-512. */
#include "transform_internal.h"

#if defined(TRANSFORM_X86)
#pragma GCC target("avx512f")
#include <immintrin.h>

#define VECTOR __m512
#define LANES 16
#define TILE 8
#define LOAD(p) _mm512_loadu_ps(p)
#define STORE(p, x) _mm512_storeu_ps(p, x)
#define ALL(x) _mm512_set1_ps(x)
#define FMA(a, b, c) _mm512_fmadd_ps(a, b, c)
#define ADD(a, b) _mm512_add_ps(a, b)
#define RELU(x) _mm512_max_ps(x, _mm512_setzero_ps())
#define LEAKY(x, slope)                                                                           \
    _mm512_mask_mul_ps(x, _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NGT_UQ), x, slope)
#define POSITIVE(x) _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_GT_OQ)
#define FOLLOW(bits, x, slope) _mm512_mask_mul_ps(x, (__mmask16) ~(bits), x, slope)
#define KERNELS transform_avx512
#include "transform_kernels.h"
#endif
