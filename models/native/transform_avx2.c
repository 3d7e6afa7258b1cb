/* transform_avx2.c - the kernels for x86-64 with AVX2 and FMA. */
#include "transform_internal.h"

#if defined(TRANSFORM_X86)
#pragma GCC target("avx2,fma")
#include <immintrin.h>

/* All bits of the lanes whose bit is set. */
static inline __m256 lanes_of(unsigned bits)
{
    const __m256i one = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i chosen = _mm256_and_si256(_mm256_set1_epi32((int)bits), one);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(chosen, one));
}

#define VECTOR __m256
#define LANES 8
#define TILE 4
#define LOAD(p) _mm256_loadu_ps(p)
#define STORE(p, x) _mm256_storeu_ps(p, x)
#define ALL(x) _mm256_set1_ps(x)
#define FMA(a, b, c) _mm256_fmadd_ps(a, b, c)
#define ADD(a, b) _mm256_add_ps(a, b)
#define RELU(x) _mm256_max_ps(x, _mm256_setzero_ps())
#define LEAKY(x, slope)                                                                           \
    _mm256_blendv_ps(x, _mm256_mul_ps(x, slope), _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_NGT_UQ))
#define POSITIVE(x)                                                                               \
    (unsigned)_mm256_movemask_ps(_mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_GT_OQ))
#define FOLLOW(bits, x, slope) _mm256_blendv_ps(_mm256_mul_ps(x, slope), x, lanes_of(bits))
#define KERNELS transform_avx2
#include "transform_kernels.h"
#endif
