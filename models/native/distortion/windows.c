/* windows.c - the filter, the maps, and the way back to each plane, for a band of rows.
 *
 * The filter mirrors what is beyond the border. Forwards, a row of its output is a weighted sum of
 * 11 rows of input, and at the border mirrored rows add their weight to the rows that they mirror.
 * Backwards, a row of slopes is a sum over the rows that it was used for, with the same weights.
 * Along a row, forwards, the margins are filled with mirrored samples. Backwards, the margins of
 * slopes are 0, and what the filter leaves in its output's margins is added where it came from.
 */
#include <string.h>

#include "internal.h"

#define BLURRED 4 /* x, y, squares, products */
#define BACK 3    /* slopes in the filtered y, squares, products */

/* Things of which the last 11 rows are kept. */
enum {
    RING_X,
    RING_Y,
    RING_BLURRED,
    RING_BACK = RING_BLURRED + BLURRED,
    RING_DIRECT = RING_BACK + BACK,
    RINGS
};

/* Other rows, after them. */
enum {
    ROW_SQUARES = RINGS * TAPS,
    ROW_PRODUCTS,
    ROW_BLURRED,
    ROW_SLOPES = ROW_BLURRED + BLURRED,
    ROW_MAPS = ROW_SLOPES + BACK,
    ROW_BACK = ROW_MAPS + 2,
    ROWS = ROW_BACK + BACK
};

typedef struct {
    const distortion_state *s;
    const window *w;
    const band *task;
    float *memory;
    int is_visual, backward;
    int reads, slopes; /* the next rows to be read, and whose slopes are to be made */
} pass;

static float *row_of(const pass *p, int number)
{
    return p->memory + (size_t)number * p->s->stride + MARGIN;
}

/* Row `row` of what is kept in a ring. */
static float *kept(const pass *p, int ring, int row)
{
    return row_of(p, ring * TAPS + row % TAPS);
}

size_t window_floats(const distortion_state *s)
{
    return (size_t)ROWS * s->stride;
}

/* ---- The border ------------------------------------------------------------------------- */

/* Samples from the border to the one that stands for the first sample beyond it. SSIMULACRA 2
 * mirrors at the edge of the last pixel, MS-SSIM at its centre. */
static int first_mirrored(const pass *p)
{
    return p->is_visual ? 0 : 1;
}

static int mirrored(const pass *p, int at, int size)
{
    const int first = first_mirrored(p);
    return at < 0 ? first - 1 - at : at >= size ? 2 * size - 1 - first - at : at;
}

static void mirror_margins(const pass *p, float *row)
{
    const int n = p->w->width;
    for (int k = 1; k <= RADIUS; k++) {
        row[-k] = row[mirrored(p, -k, n)];
        row[n - 1 + k] = row[mirrored(p, n - 1 + k, n)];
    }
}

static void fold_margins(const pass *p, float *row)
{
    const int n = p->w->width;
    for (int k = 1; k <= RADIUS; k++) {
        row[mirrored(p, -k, n)] += row[-k];
        row[mirrored(p, n - 1 + k, n)] += row[n - 1 + k];
    }
}

static float tap(int distance)
{
    return FILTER[distance < 0 ? -distance : distance];
}

/* Weights of rows row - 5..row + 5 of the input. */
static void weigh(const pass *p, int row, int backward, float *weights)
{
    const int size = p->w->height;
    memset(weights, 0, TAPS * sizeof *weights);
    for (int t = -RADIUS; t <= RADIUS; t++) {
        if (!backward) {
            weights[mirrored(p, row + t, size) - row + RADIUS] += tap(t);
            continue;
        }
        const int used = row + t; /* which rows did its window read? */
        if (used >= 0 && used < size)
            for (int at = used - RADIUS; at <= used + RADIUS; at++)
                if (mirrored(p, at, size) == row)
                    weights[t + RADIUS] += tap(at - used);
    }
}

/* Filters `count` rings at a row into rows of their own. */
static void filter_down(const pass *p, int ring, int count, int row, float *const *out)
{
    const int height = p->w->height;
    const int is_inside = row > RADIUS && row < height - 1 - RADIUS;
    float weights[TAPS];
    if (!is_inside)
        weigh(p, row, ring == RING_BACK, weights);
    for (int i = 0; i < count; i++) {
        const float *in[TAPS];
        for (int t = 0; t < TAPS; t++) {
            const int at = row + t - RADIUS;
            in[t] = kept(p, ring + i, at >= 0 && at < height ? at : row);
        }
        if (is_inside)
            p->s->kernels->down(p->w->width, in, out[i]);
        else
            p->s->kernels->down_weighted(p->w->width, in, weights, out[i]);
    }
}

/* ---- Rows ------------------------------------------------------------------------------- */

/* Reads a row of the picture and of the decoded one, and filters along it. */
static void read_row(const pass *p, int row)
{
    const window *w = p->w;
    const kernels *k = p->s->kernels;
    float *x = kept(p, RING_X, row), *y = kept(p, RING_Y, row);
    const size_t start = (size_t)row * (size_t)w->width, bytes = (size_t)w->width * sizeof(float);
    if (w->x) {
        memcpy(x, w->x + start, bytes);
        memcpy(y, w->y + start, bytes);
    } else {
        picture_row(p->s, row, w->plane, x);
        decoded_row(p->s, row, w->plane, y);
    }
    mirror_margins(p, x);
    mirror_margins(p, y);
    float *squares = row_of(p, ROW_SQUARES), *products = row_of(p, ROW_PRODUCTS);
    k->products(w->width + 2 * RADIUS, x - RADIUS, y - RADIUS, squares - RADIUS,
                products - RADIUS);
    const float *in[BLURRED] = {x, y, squares, products};
    for (int i = 0; i < BLURRED; i++)
        k->across(w->width, in[i], kept(p, RING_BLURRED + i, row));
}

/* Pools the maps of a row, if it is one of the band. Their slopes, filtered along the row, go to
 * the rings. */
static void make_maps(const pass *p, int row)
{
    const window *w = p->w;
    const kernels *k = p->s->kernels;
    float *blurred[BLURRED], *slopes[BACK + 1];
    for (int i = 0; i < BLURRED; i++)
        blurred[i] = row_of(p, ROW_BLURRED + i);
    for (int i = 0; i < BACK; i++)
        slopes[i] = row_of(p, ROW_SLOPES + i);
    slopes[BACK] = kept(p, RING_DIRECT, row);
    filter_down(p, RING_BLURRED, BLURRED, row, blurred);
    const float *const *all = (const float *const *)blurred;
    const float *x = kept(p, RING_X, row), *y = kept(p, RING_Y, row);
    if (!p->is_visual) {
        float *map = row_of(p, ROW_MAPS);
        k->similarity(w->width, all, w->is_last, map, slopes);
        if (row >= p->task->top && row < p->task->bottom)
            w->sums[row] = k->sum(w->width, map);
    } else if (p->backward) {
        k->map_slopes(w->width, all, x, y, w->factors, slopes);
    } else {
        float *loss = row_of(p, ROW_MAPS), *edges = row_of(p, ROW_MAPS + 1);
        k->maps(w->width, all, x, y, loss, edges);
        const float *maps[NORMS] = {loss, edges, edges};
        for (int i = 0; i < POOLED; i++)
            if (w->is_pooled[i])
                w->sums[(size_t)row * POOLED + (size_t)i] =
                    (i < NORMS ? k->mean : k->norm)(w->width, maps[i % NORMS],
                                                    i % NORMS == BLUR ? -1 : 1);
    }
    for (int i = 0; p->backward && i < BACK; i++) {
        float *to = kept(p, RING_BACK + i, row);
        k->across(w->width + 2 * RADIUS, slopes[i] - RADIUS, to - RADIUS);
        fold_margins(p, to);
    }
}

/* Writes the slopes of a row of the plane. */
static void write_row(const pass *p, int row)
{
    const window *w = p->w;
    float *filtered[BACK];
    for (int i = 0; i < BACK; i++)
        filtered[i] = row_of(p, ROW_BACK + i);
    filter_down(p, RING_BACK, BACK, row, filtered);
    const float *slopes[BACK + 1] = {filtered[0], filtered[1], filtered[2],
                                     p->is_visual ? kept(p, RING_DIRECT, row) : 0};
    float *out = w->g ? w->g + (size_t)row * (size_t)w->width : row_of(p, ROW_SQUARES);
    p->s->kernels->back(w->width, slopes, kept(p, RING_X, row), kept(p, RING_Y, row), out);
    if (w->g)
        return;
    float *to = p->s->gradient + (size_t)row * RGB * (size_t)w->width + w->plane;
    for (ptrdiff_t i = 0; i < w->width; i++)
        to[RGB * i] = out[i];
}

/* ---- Bands ------------------------------------------------------------------------------ */

/* Makes the maps of all rows before `end`, or up to the last one. */
static void maps_until(pass *p, int end)
{
    const int height = p->w->height;
    for (; p->slopes < end && p->slopes < height; p->slopes++) {
        for (; p->reads < p->slopes + RADIUS + 1 && p->reads < height; p->reads++)
            read_row(p, p->reads);
        make_maps(p, p->slopes);
    }
}

static void slide(pass *p)
{
    const int top = p->task->top, margin = p->backward ? RADIUS : 0;
    p->slopes = top < margin ? 0 : top - margin;
    p->reads = p->slopes < RADIUS ? 0 : p->slopes - RADIUS;
    for (int i = 0; i < BACK; i++) {
        float *row = row_of(p, ROW_SLOPES + i);
        memset(row - MARGIN, 0, MARGIN * sizeof *row);
        memset(row + p->w->width, 0, MARGIN * sizeof *row);
    }
    for (int row = top; row < p->task->bottom; row++) {
        maps_until(p, row + margin + 1);
        if (p->backward)
            write_row(p, row);
    }
}

void slide_similarity(const distortion_state *s, const band *task, float *scratch)
{
    pass p = {s, task->on, task, scratch, 0, 1, 0, 0};
    slide(&p);
}

void slide_visual(const distortion_state *s, const band *task, int backward, float *scratch)
{
    pass p = {s, task->on, task, scratch, 1, backward, 0, 0};
    slide(&p);
}
