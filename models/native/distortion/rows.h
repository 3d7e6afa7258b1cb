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

#define SSIM_C1 1e-4f /* .01^2 */
#define SSIM_C2 9e-4f /* .03^2; of SSIMULACRA 2, too */

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

/* ---- Windows ---------------------------------------------------------------------------- */

static void products(int n, const float *restrict x, const float *restrict y,
                     float *restrict squares, float *restrict product)
{
    for (ptrdiff_t i = 0; i < n; i++) {
        squares[i] = x[i] * x[i] + y[i] * y[i];
        product[i] = x[i] * y[i];
    }
}

/* The filter along a row; in[-RADIUS] is the first sample that is read. */
static void across(int n, const float *restrict in, float *restrict out)
{
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = FILTER[0] * in[i] + FILTER[1] * (in[i - 1] + in[i + 1])
            + FILTER[2] * (in[i - 2] + in[i + 2]) + FILTER[3] * (in[i - 3] + in[i + 3])
            + FILTER[4] * (in[i - 4] + in[i + 4]) + FILTER[5] * (in[i - 5] + in[i + 5]);
}

/* The filter over rows. */
static void down(int n, rows_of_taps in, float *restrict out)
{
    const float *a = in[0], *b = in[1], *c = in[2];
    const float *d = in[3], *e = in[4], *f = in[5];
    const float *g = in[6], *h = in[7], *j = in[8];
    const float *k = in[9], *l = in[10];
    APART
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = FILTER[0] * f[i] + FILTER[1] * (e[i] + g[i]) + FILTER[2] * (d[i] + h[i])
            + FILTER[3] * (c[i] + j[i]) + FILTER[4] * (b[i] + k[i]) + FILTER[5] * (a[i] + l[i]);
}

/* The same with any weights, near the border. */
static void down_weighted(int n, rows_of_taps in, const float *w, float *restrict out)
{
    const float *a = in[0], *b = in[1], *c = in[2], *d = in[3], *e = in[4], *f = in[5];
    const float *g = in[6], *h = in[7], *j = in[8], *k = in[9], *l = in[10];
    APART
    for (ptrdiff_t i = 0; i < n; i++)
        out[i] = w[0] * a[i] + w[1] * b[i] + w[2] * c[i] + w[3] * d[i] + w[4] * e[i] + w[5] * f[i]
            + w[6] * g[i] + w[7] * h[i] + w[8] * j[i] + w[9] * k[i] + w[10] * l[i];
}

/* SSIM's contrast and structure, or the whole SSIM on the coarsest level, and its slopes in the
 * three filtered rows that depend on y: mean, squares, products.
 * blurred: x, y, squares, products. */
static void similarity(int n, const float *const *blurred, int is_last, float *restrict map,
                       float *const *slopes)
{
    const float *mean_x = blurred[0], *mean_y = blurred[1];
    const float *squares = blurred[2], *product = blurred[3];
    float *in_mean = slopes[0], *in_squares = slopes[1], *in_products = slopes[2];
    APART
    for (ptrdiff_t i = 0; i < n; i++) {
        const float x = mean_x[i], y = mean_y[i], both = x * x + y * y, cross = x * y;
        const float below = 1 / (squares[i] - both + SSIM_C2);
        const float contrast = (2 * (product[i] - cross) + SSIM_C2) * below;
        map[i] = contrast;
        in_mean[i] = 2 * (y * contrast - x) * below;
        in_squares[i] = -contrast * below;
        in_products[i] = 2 * below;
    }
    if (!is_last)
        return;
    APART
    for (ptrdiff_t i = 0; i < n; i++) {
        const float x = mean_x[i], y = mean_y[i], contrast = map[i];
        const float below = 1 / (x * x + y * y + SSIM_C1);
        const float light = (2 * (x * y) + SSIM_C1) * below;
        map[i] = light * contrast;
        in_mean[i] = light * in_mean[i] + contrast * (2 * (x - y * light) * below);
        in_squares[i] *= light;
        in_products[i] *= light;
    }
}

/* The part of SSIMULACRA 2 that pooling needs: loss of similarity; edges that are added (above 0)
 * or removed (below 0). */
static void maps(int n, const float *const *blurred, const float *restrict x,
                 const float *restrict y, float *restrict loss, float *restrict edges)
{
    const float *mean_x = blurred[0], *mean_y = blurred[1];
    const float *squares = blurred[2], *product = blurred[3];
    APART
    for (ptrdiff_t i = 0; i < n; i++) {
        const float mx = mean_x[i], my = mean_y[i], d = mx - my;
        const float structure = 2 * (product[i] - mx * my) + SSIM_C2;
        const float below = 1 / (squares[i] - mx * mx - my * my + SSIM_C2);
        loss[i] = 1 - (1 - d * d) * (structure * below);
        const float sharp = fabsf(x[i] - mx);
        edges[i] = (fabsf(y[i] - my) - sharp) / (1 + sharp);
    }
}

/* The slopes of all pooled numbers, whose own slopes are the factors: in the filtered rows (mean,
 * squares, products) and in y. */
static void map_slopes(int n, const float *const *blurred, const float *restrict x,
                       const float *restrict y, const float *factors, float *const *slopes)
{
    const float *mean_x = blurred[0], *mean_y = blurred[1];
    const float *squares = blurred[2], *product = blurred[3];
    float *in_mean = slopes[0], *in_squares = slopes[1];
    float *in_products = slopes[2], *direct = slopes[3];
    const float loss_1 = factors[LOSS], loss_4 = factors[NORMS + LOSS];
    const float ringing_1 = factors[RINGING], ringing_4 = factors[NORMS + RINGING];
    const float blur_1 = factors[BLUR], blur_4 = factors[NORMS + BLUR];
    APART
    for (ptrdiff_t i = 0; i < n; i++) {
        const float mx = mean_x[i], my = mean_y[i], d = mx - my;
        const float structure = 2 * (product[i] - mx * my) + SSIM_C2;
        const float below = 1 / (squares[i] - mx * mx - my * my + SSIM_C2);
        const float near = 1 - d * d, ratio = structure * below, loss = 1 - near * ratio;
        const float to_loss = loss > 0 ? loss_1 + loss_4 * (loss * loss * loss) : 0.0f;
        const float sharp = fabsf(x[i] - mx), off = y[i] - my, under = 1 / (1 + sharp);
        const float edge = (fabsf(off) - sharp) * under, cube = edge * edge * edge;
        const float added = ringing_1 + ringing_4 * cube, removed = blur_4 * cube - blur_1;
        const float to_edge = (edge > 0 ? added : edge < 0 ? removed : 0.0f) * under;
        direct[i] = off > 0 ? to_edge : off < 0 ? -to_edge : 0.0f;
        in_squares[i] = to_loss * (near * ratio * below);
        in_products[i] = -2 * to_loss * (near * below);
        in_mean[i] = -2 * to_loss * (d * ratio + near * below * (my * ratio - mx)) - direct[i];
    }
}

static inline double above_0(float value)
{
    return value > 0 ? value : 0.0f;
}

/* The sum of what is above 0 in sign * map. */
static double mean(int n, const float *restrict map, float sign)
{
    double lanes[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++)
            lanes[k] += above_0(sign * map[i + k]);
    for (int k = 0; i + k < n; k++)
        lanes[k] += above_0(sign * map[i + k]);
    return folded(lanes);
}

/* The sum of its 4th power. */
static double norm(int n, const float *restrict map, float sign)
{
    double lanes[LANES] = {0};
    ptrdiff_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int k = 0; k < LANES; k++) {
            const double above = above_0(sign * map[i + k]), square = above * above;
            lanes[k] += square * square;
        }
    for (int k = 0; i + k < n; k++) {
        const double above = above_0(sign * map[i + k]), square = above * above;
        lanes[k] += square * square;
    }
    return folded(lanes);
}

/* Slopes in y, from the slopes in the filtered rows, which have been filtered back. */
static void back(int n, const float *const *slopes, const float *restrict x,
                 const float *restrict y, float *restrict out)
{
    const float *in_mean = slopes[0], *in_squares = slopes[1];
    const float *in_products = slopes[2], *direct = slopes[3];
    if (direct)
        APART
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = in_mean[i] + 2 * y[i] * in_squares[i] + x[i] * in_products[i] + direct[i];
    else
        APART
        for (ptrdiff_t i = 0; i < n; i++)
            out[i] = in_mean[i] + 2 * y[i] * in_squares[i] + x[i] * in_products[i];
}

const kernels KERNELS = {
    pick,       error,       sum,  halve,  linear,   linear_slope, cone,     cone_slope,
    xyb,        xyb_slopes,  luma_slopes,  spread,   scale,        multiply, merge,
    products,   across,      down, down_weighted,    similarity,   maps,     map_slopes,
    mean,       norm,        back,
};
