/* transform_kernels.h - the loops of transform.c that are compiled once per instruction set.
 *
 * Included by transform_avx512.c and its like, which define: VECTOR, a type of LANES floats; TILE,
 * the outputs of a register tile; LOAD, STORE, ALL (every lane the same), FMA (a * b + c, rounded
 * once), ADD, LEAKY (x > 0 ? x : slope * x), RELU (x > 0 ? x : 0), POSITIVE (a bit per lane: x > 0)
 * and FOLLOW (bit ? x : slope * x); and KERNELS, the name.
 */
#include "transform_internal.h"

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline)) /* inlined tiles would spill their registers */
#else
#define INLINE static inline
#define APART static
#endif

#define COLUMNS 3 /* vectors of a register tile */

INLINE VECTOR activated(VECTOR x, float slope)
{
    return slope == 1 ? x : slope == 0 ? RELU(x) : LEAKY(x, ALL(slope));
}

/* The bits of the vector at position x of a plane. */
INLINE unsigned bits_at(const unsigned char *plane, int x)
{
#if LANES == 16
    return plane[x / 8] | (unsigned)plane[x / 8 + 1] << 8;
#elif LANES == 8
    return plane[x / 8];
#else
    return plane[x / 8] >> x % 8 & ((1 << LANES) - 1);
#endif
}

INLINE void keep_bits(unsigned char *plane, int x, unsigned bits)
{
#if LANES == 16
    plane[x / 8] = (unsigned char)bits;
    plane[x / 8 + 1] = (unsigned char)(bits >> 8);
#elif LANES == 8
    plane[x / 8] = (unsigned char)bits;
#else
    const unsigned others = plane[x / 8] & ~(((1u << LANES) - 1) << x % 8);
    plane[x / 8] = (unsigned char)(others | bits << x % 8);
#endif
}

/* What the activation makes of the vector at position x of plane k. */
INLINE VECTOR finished(const dense_job *job, int k, int x, VECTOR value)
{
    if (!job->signs)
        return activated(value, job->slope);
    if (job->follows)
        return FOLLOW(bits_at(job->signs[k], x), value, ALL(job->slope));
    keep_bits(job->signs[k], x, POSITIVE(value));
    return activated(value, job->slope);
}

/* `outputs` planes from k on, of `columns` vectors each, from position x on. */
INLINE void tile(const dense_job *job, int k, int x, const int outputs, const int columns)
{
    VECTOR sum[TILE][COLUMNS];
    for (int o = 0; o < outputs; o++)
        for (int v = 0; v < columns; v++)
            sum[o][v] = ALL(job->bias[k + o]);
    const float *w = job->weights + k;
    for (int t = 0; t < job->taps; t++) {
        const float *in = job->in[t] + x;
        for (int c = 0; c < job->inputs; c++, in += job->stride, w += job->outputs) {
            VECTOR value[COLUMNS];
            for (int v = 0; v < columns; v++)
                value[v] = LOAD(in + v * LANES);
            for (int o = 0; o < outputs; o++) {
                const VECTOR weight = ALL(w[o]);
                for (int v = 0; v < columns; v++)
                    sum[o][v] = FMA(value[v], weight, sum[o][v]);
            }
        }
    }
    for (int o = 0; o < outputs; o++) {
        const float *skip = job->skip ? job->skip[k + o] + x : 0;
        float *out = job->out[k + o] + x;
        for (int v = 0; v < columns; v++) {
            VECTOR y = finished(job, k + o, x + v * LANES, sum[o][v]);
            if (skip)
                y = ADD(y, LOAD(skip + v * LANES));
            STORE(out + v * LANES, y);
        }
    }
}

#define TILES(n)                                                                                  \
    APART void tile_##n##_3(const dense_job *job, int k, int x) { tile(job, k, x, n, 3); }        \
    APART void tile_##n##_2(const dense_job *job, int k, int x) { tile(job, k, x, n, 2); }        \
    APART void tile_##n##_1(const dense_job *job, int k, int x) { tile(job, k, x, n, 1); }
#if TILE == 8
TILES(8)
#endif
TILES(4)
TILES(2)
TILES(1)

typedef void (*tile_function)(const dense_job *, int, int);

static void dense(const dense_job *job)
{
    static const tile_function tiles[4][COLUMNS] = {
        {tile_1_1, tile_1_2, tile_1_3},
        {tile_2_1, tile_2_2, tile_2_3},
        {tile_4_1, tile_4_2, tile_4_3},
#if TILE == 8
        {tile_8_1, tile_8_2, tile_8_3},
#endif
    };
    const int vectors = (job->positions + LANES - 1) / LANES;
    for (int v = 0; v < vectors; v += COLUMNS) {
        const int columns = vectors - v < COLUMNS ? vectors - v : COLUMNS;
        for (int k = 0, kind; k < job->outputs; k += 1 << kind) {
            kind = TILE == 8 ? 3 : 2;
            while (job->outputs - k < 1 << kind)
                kind--;
            tiles[kind][columns - 1](job, k, v * LANES);
        }
    }
}

/* One plane after the other; all vectors of a plane share the loads of its weights. */
INLINE void plane(const dense_job *job, int c, int x, const int columns)
{
    VECTOR sum[COLUMNS];
    for (int v = 0; v < columns; v++)
        sum[v] = ALL(job->bias[c]);
    for (int t = 0; t < job->taps; t++) {
        const float *in = job->in[t] + (size_t)c * job->stride + x;
        const VECTOR weight = ALL(job->weights[t * job->outputs + c]);
        for (int v = 0; v < columns; v++)
            sum[v] = FMA(LOAD(in + v * LANES), weight, sum[v]);
    }
    for (int v = 0; v < columns; v++) {
        VECTOR y = activated(sum[v], job->slope);
        if (job->skip)
            y = ADD(y, LOAD(job->skip[c] + x + v * LANES));
        STORE(job->out[c] + x + v * LANES, y);
    }
}

static void depthwise(const dense_job *job)
{
    const int vectors = (job->positions + LANES - 1) / LANES;
    for (int c = 0; c < job->outputs; c++) {
        int v = 0;
        for (; v + COLUMNS <= vectors; v += COLUMNS)
            plane(job, c, v * LANES, COLUMNS);
        for (; v < vectors; v++)
            plane(job, c, v * LANES, 1);
    }
}

const kernels KERNELS = {dense, depthwise};
