/* rows.h - the loops over rows, compiled once for each instruction set.
 *
 * The file that includes this names the table KERNELS. All loops are plain: the compiler makes
 * vectors of them. Rows do not overlap, except where a row is changed in place.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LANES 16 /* parts of a sum */

/* Loops count with ptrdiff_t. Python has this compiled with -fwrapv, and where an int may wrap
 * around, the compiler makes no vectors. */

/* Before a loop whose rows do not overlap. Compilers heed `restrict` of parameters only. */
#if defined(__clang__)
#define APART _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define APART _Pragma("GCC ivdep")
#else
#define APART
#endif

/* RGB in linear light to the cones: long, medium, short. */
static const float OPSIN[RGB][RGB] = {
    {0.30f, 0.622f, 0.078f},
    {0.23f, 0.692f, 0.078f},
    {0.24342268924547819f, 0.20476744424496821f, 0.5518098665095536f},
};
#define BIAS 0.0037930732552754493f
#define BIAS_ROOT 0.15595420054924863f /* its cube root */
#define MIDDLE 0.45f                   /* about half of the greatest Y */

/* ---- Numbers ---------------------------------------------------------------------------- */

static inline float clipped(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* x^(-1/3) of x > 0. The first guess is within 3.5 %; three of Newton's steps leave 1e-7. */
static inline float inverse_cube_root(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits = 0x54a22222u - bits / 3;
    float r;
    memcpy(&r, &bits, 4);
    for (int i = 0; i < 3; i++)
        r = r * (4.0f / 3 - x * (r * r * r) * (1.0f / 3));
    return r;
}

/* x^(-1/5), likewise. */
static inline float inverse_fifth_root(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    bits = 0x4c2b851eu - bits / 5;
    float r;
    memcpy(&r, &bits, 4);
    for (int i = 0; i < 3; i++)
        r = r * (1.2f - x * (r * r * r * r * r) * 0.2f);
    return r;
}

/* SRGB to linear light; the slope goes to *slope. With v = u^2, u^2.4 = (v v^(-2/5))^2. */
static inline float linear_of(float x, float *slope)
{
    const float dark = x * (1 / 12.92f);
    const float u = (x < 0.04045f ? 0.04045f : x) * (1 / 1.055f) + 0.055f / 1.055f;
    const float v = u * u, r = inverse_fifth_root(v), root = v * (r * r);
    *slope = x <= 0.04045f ? 1 / 12.92f : (2.4f / 1.055f) * (u * v) * (r * r * r * r);
    return x <= 0.04045f ? dark : root * root;
}

static inline float mixed(const float *share, float r, float g, float b)
{
    return share[0] * r + share[1] * g + share[2] * b + BIAS;
}

/* ---- Pixels and planes ------------------------------------------------------------------ */

/* One of three interleaved colours, clipped. */
static void pick(int n, const float *restrict in, float low, float high, float *restrict out)
{
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = clipped(in[RGB * i], low, high);
}

/* The sum of a part of a row, from the sums of its lanes. */
static double folded(const double *lanes)
{
    double sum = 0;
    for (int k = 0; k < LANES; k++)
        sum += lanes[k];
    return sum;
}

/* Sum of squared differences of n samples. */
static double error(int n, const float *restrict x, const float *restrict y, float low, float high)
{
    double lanes[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            const double d = clipped(y[i + k], low, high) - x[i + k];
            lanes[k] += d * d;
        }
    for (int k = 0; i + k < n; k++) {
        const double d = clipped(y[i + k], low, high) - x[i + k];
        lanes[k] += d * d;
    }
    return folded(lanes);
}

static double sum(int n, const float *restrict map)
{
    double lanes[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            lanes[k] += map[i + k];
    for (int k = 0; i + k < n; k++)
        lanes[k] += map[i + k];
    return folded(lanes);
}

/* Means of 2 x 2 samples of two rows; n is the number of means. */
static void halve(int n, const float *restrict a, const float *restrict b, float *restrict out)
{
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = ((a[2 * i] + a[2 * i + 1]) + (b[2 * i] + b[2 * i + 1])) * 0.25f;
}

static void linear(int n, const float *restrict in, float *restrict out)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        float slope;
        out[i] = linear_of(in[i], &slope);
    }
}

static void linear_slope(int n, const float *restrict in, float *restrict out,
                         float *restrict slope)
{
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = linear_of(in[i], &slope[i]);
}

/* Response of one kind of cones, from rows of linear RGB. */
static void cone(int n, const float *const *rgb, int kind, float *restrict out)
{
    const float *r = rgb[0], *g = rgb[1], *b = rgb[2];
    const float share[RGB] = {OPSIN[kind][0], OPSIN[kind][1], OPSIN[kind][2]};
    APART
    for (ptrdiff_t i = 0; i < n; i++) {
        const float x = mixed(share, r[i], g[i], b[i]), root = inverse_cube_root(x);
        out[i] = x * (root * root) - BIAS_ROOT;
    }
}

/* Its slope in the mixture of r, g and b. */
static void cone_slope(int n, const float *const *rgb, int kind, float *restrict out)
{
    const float *r = rgb[0], *g = rgb[1], *b = rgb[2];
    const float share[RGB] = {OPSIN[kind][0], OPSIN[kind][1], OPSIN[kind][2]};
    APART
    for (ptrdiff_t i = 0; i < n; i++) {
        const float root = inverse_cube_root(mixed(share, r[i], g[i], b[i]));
        out[i] = root * root * (1.0f / 3);
    }
}

/* Plane X, Y or B from three rows of cones, shifted to be about 0. No map depends on a shift, and
 * less is lost where squares are subtracted. */
static void xyb(int n, const float *const *cones, int plane, float *restrict out)
{
    const float *l = cones[0], *m = cones[1], *s = cones[2];
    if (plane == X)
        APART
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = 7 * (l[i] - m[i]);
    else if (plane == Y)
        APART
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = 0.5f * (l[i] + m[i]) - MIDDLE;
    else
        APART
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = s[i] - 0.5f * (l[i] + m[i]);
}

/* Slopes in linear RGB, from slopes in X and Y, and in B if it is not 0. The cones come from X, Y
 * and B themselves. */
static void xyb_slopes(int n, const float *const *planes, const float *const *slopes,
                       float *const *out)
{
    const float *x = planes[X], *y = planes[Y], *b = planes[B];
    const float *gx = slopes[X], *gy = slopes[Y], *gb = slopes[B];
    float *red = out[0], *green = out[1], *blue = out[2];
    APART
    for (ptrdiff_t i = 0; i < n; i++) {
        const float luma = y[i] + MIDDLE, apart = x[i] * (1.0f / 14);
        const float l = luma + apart + BIAS_ROOT, m = luma - apart + BIAS_ROOT;
        const float gl = (7 * gx[i] + 0.5f * gy[i]) / (3 * (l * l));
        const float gm = (0.5f * gy[i] - 7 * gx[i]) / (3 * (m * m));
        red[i] = OPSIN[0][0] * gl + OPSIN[1][0] * gm;
        green[i] = OPSIN[0][1] * gl + OPSIN[1][1] * gm;
        blue[i] = OPSIN[0][2] * gl + OPSIN[1][2] * gm;
    }
    if (gb)
        APART
        for (ptrdiff_t i = 0; i < n; i++) {
            const float luma = y[i] + MIDDLE, apart = x[i] * (1.0f / 14);
            const float l = luma + apart + BIAS_ROOT, m = luma - apart + BIAS_ROOT;
            const float s = b[i] + luma + BIAS_ROOT;
            const float gl = -0.5f * gb[i] / (3 * (l * l)), gm = -0.5f * gb[i] / (3 * (m * m));
            const float gs = gb[i] / (3 * (s * s));
            red[i] += OPSIN[0][0] * gl + OPSIN[1][0] * gm + OPSIN[2][0] * gs;
            green[i] += OPSIN[0][1] * gl + OPSIN[1][1] * gm + OPSIN[2][1] * gs;
            blue[i] += OPSIN[0][2] * gl + OPSIN[1][2] * gm + OPSIN[2][2] * gs;
        }
}

/* Slopes in linear RGB, from those in Y and the slopes of the long and medium cones. */
static void luma_slopes(int n, const float *restrict l, const float *restrict m,
                        const float *restrict slope, float *const *out)
{
    float *red = out[0], *green = out[1], *blue = out[2];
    APART
    for (ptrdiff_t i = 0; i < n; i++) {
        const float half = 0.5f * slope[i], gl = half * l[i], gm = half * m[i];
        red[i] = OPSIN[0][0] * gl + OPSIN[1][0] * gm;
        green[i] = OPSIN[0][1] * gl + OPSIN[1][1] * gm;
        blue[i] = OPSIN[0][2] * gl + OPSIN[1][2] * gm;
    }
}

/* Adds n samples to the 2 n samples that they were made of. */
static void spread(int n, const float *restrict coarse, float factor, float *restrict fine)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        const float slope = factor * coarse[i];
        fine[2 * i] += slope;
        fine[2 * i + 1] += slope;
    }
}

static void scale(int n, float factor, float *row)
{
    for (ptrdiff_t i = 0; i < n; i++)
        row[i] *= factor;
}

static void multiply(int n, const float *restrict factors, float *restrict row)
{
    for (ptrdiff_t i = 0; i < n; i++)
        row[i] *= factors[i];
}

/* The gradient of n pixels: what it holds already times `scales`, three rows of slopes, and
 * squared error times `factor`. Without rows (0) it is only the last one. */
static void merge(int n, const float *restrict x, const float *restrict y, float low, float high,
                  float factor, const float *scales, const float *const *more,
                  float *restrict gradient)
{
    if (!more) {
        for (ptrdiff_t i = 0; i < RGB * (ptrdiff_t)n; i++)
            gradient[i] = factor * (clipped(y[i], low, high) - x[i]);
        return;
    }
    const float *r = more[0], *g = more[1], *b = more[2];
    const float red = scales[0], green = scales[1], blue = scales[2];
    APART
    for (ptrdiff_t i = 0; i < n; i++) {
        const ptrdiff_t at = RGB * i;
        gradient[at] = red * gradient[at] + r[i] + factor * (clipped(y[at], low, high) - x[at]);
        gradient[at + 1] = green * gradient[at + 1] + g[i]
            + factor * (clipped(y[at + 1], low, high) - x[at + 1]);
        gradient[at + 2] = blue * gradient[at + 2] + b[i]
            + factor * (clipped(y[at + 2], low, high) - x[at + 2]);
    }
}

#include "window_rows.h"

const kernels KERNELS = {
    .pick = pick, .error = error, .sum = sum,
    .halve = halve, .linear = linear, .linear_slope = linear_slope,
    .cone = cone, .cone_slope = cone_slope, .xyb = xyb,
    .xyb_slopes = xyb_slopes, .luma_slopes = luma_slopes, .spread = spread,
    .scale = scale, .multiply = multiply, .merge = merge,
    .products = products, .across = across, .down = down,
    .down_weighted = down_weighted, .similarity = similarity, .maps = maps,
    .map_slopes = map_slopes, .mean = mean, .norm = norm,
    .back = back,
};
