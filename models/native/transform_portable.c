/* transform_portable.c - the kernels in C alone, for any processor; ARM64 among them.
 *
 * A compiler with vector types (gcc, clang) makes vector instructions of them.
 */
#include <math.h>
#include <string.h>

#include "transform_internal.h"

#define LANES 4
#define TILE 4

#if defined(FP_FAST_FMAF) || defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA)                \
    || defined(__FMA__)
#define FAST_FMA
#endif

#if defined(__GNUC__)
typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef double wide __attribute__((vector_size(LANES * sizeof(double))));
#define LANE(x, i) (x)[i]
#else
typedef struct {
    float lane[LANES];
} vector;
#define LANE(x, i) (x).lane[i]
#endif

static inline vector load(const float *p)
{
    vector x;
    memcpy(&x, p, sizeof x);
    return x;
}

static inline vector all(float value)
{
    vector x;
    for (int i = 0; i < LANES; i++)
        LANE(x, i) = value;
    return x;
}

/* a * b + c, rounded once where the processor can do that. Elsewhere the product is exact in double
 * precision, and the sum is rounded to double and then to float. */
static inline vector fused(vector a, vector b, vector c)
{
#if defined(FAST_FMA)
    for (int i = 0; i < LANES; i++)
        LANE(c, i) = fmaf(LANE(a, i), LANE(b, i), LANE(c, i));
    return c;
#elif defined(__GNUC__)
    const wide product = __builtin_convertvector(a, wide) * __builtin_convertvector(b, wide);
    return __builtin_convertvector(product + __builtin_convertvector(c, wide), vector);
#else
    for (int i = 0; i < LANES; i++)
        LANE(c, i) = (float)((double)LANE(a, i) * LANE(b, i) + LANE(c, i));
    return c;
#endif
}

static inline vector sum_of(vector a, vector b)
{
    for (int i = 0; i < LANES; i++)
        LANE(a, i) += LANE(b, i);
    return a;
}

static inline vector leaky(vector x, vector slope)
{
    for (int i = 0; i < LANES; i++)
        LANE(x, i) = LANE(x, i) > 0 ? LANE(x, i) : LANE(slope, i) * LANE(x, i);
    return x;
}

static inline vector relu(vector x)
{
    for (int i = 0; i < LANES; i++)
        LANE(x, i) = LANE(x, i) > 0 ? LANE(x, i) : 0;
    return x;
}

static inline unsigned positive(vector x)
{
    unsigned bits = 0;
    for (int i = 0; i < LANES; i++)
        bits |= (unsigned)(LANE(x, i) > 0) << i;
    return bits;
}

static inline vector follow(unsigned bits, vector x, vector slope)
{
    for (int i = 0; i < LANES; i++)
        LANE(x, i) = bits >> i & 1 ? LANE(x, i) : LANE(slope, i) * LANE(x, i);
    return x;
}

#define VECTOR vector
#define LOAD(p) load(p)
#define STORE(p, x) memcpy(p, &(x), sizeof(vector))
#define ALL(x) all(x)
#define FMA(a, b, c) fused(a, b, c)
#define ADD(a, b) sum_of(a, b)
#define RELU(x) relu(x)
#define LEAKY(x, slope) leaky(x, slope)
#define POSITIVE(x) positive(x)
#define FOLLOW(bits, x, slope) follow(bits, x, slope)
#define KERNELS transform_portable
#include "transform_kernels.h"
