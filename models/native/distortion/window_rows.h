/* window_rows.h - the part of rows.h for windows: the filter, the maps and their slopes. */

#define SSIM_C1 1e-4f /* .01^2 */
#define SSIM_C2 9e-4f /* .03^2; of SSIMULACRA 2, too */

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
