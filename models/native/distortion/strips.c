/* strips.c - pixels to planes of all levels, and slopes of all levels to the gradient.
 *
 * A strip has 16 rows of pixels, 8 rows of level 1, ..., 1 row of level 4; fewer at the end.
 */
#include <string.h>

#include "internal.h"

#define COARSE_ROWS 15 /* of a strip, at levels 1 to 4 */
#define PIXEL_ROWS 6   /* two of every colour */
#define OTHER_ROWS 15  /* pixels and what is made of them */

/* The rows of linear RGB (or of slopes in it) of a strip, at levels 1 to 4. */
typedef struct {
    float *memory;
    size_t stride;
} pyramid;

static float *level_row(const pyramid *p, int level, int row, int colour)
{
    static const int first[LEVELS] = {0, 0, 8, 12, 14}; /* rows of finer levels */
    const int at = first[level] + row % (STRIP >> level);
    return p->memory + ((size_t)at * RGB + (size_t)colour) * p->stride;
}

size_t strip_floats(const distortion_state *s)
{
    if (!s->similarity_levels && !s->visual_levels)
        return 0;
    return (COARSE_ROWS * RGB + OTHER_ROWS) * s->stride;
}

void picture_row(const distortion_state *s, int row, int colour, float *out)
{
    const float *in = s->picture + (size_t)row * RGB * (size_t)s->shape.width + colour;
    s->kernels->pick(s->shape.width, in, s->low, s->high, out);
}

void decoded_row(const distortion_state *s, int row, int colour, float *out)
{
    const distortion_shape *shape = &s->shape;
    if (row < shape->top || row >= shape->bottom || shape->left == shape->right) {
        picture_row(s, row, colour, out);
        return;
    }
    const size_t start = (size_t)row * RGB * (size_t)shape->width + (size_t)colour;
    const float *x = s->picture + start, *y = s->decoded + start;
    const int left = shape->left, right = shape->right;
    s->kernels->pick(left, x, s->low, s->high, out);
    s->kernels->pick(right - left, y + RGB * (size_t)left, s->low, s->high, out + left);
    s->kernels->pick(shape->width - right, x + RGB * (size_t)right, s->low, s->high, out + right);
}

/* Row `row` of the next level from rows a and b of n samples. A last column without a partner
 * counts twice if there is room for it. */
static void halve(const distortion_state *s, int n, int width, const float *a, const float *b,
                  float *out)
{
    s->kernels->halve(n / 2, a, b, out);
    if (n / 2 < width)
        out[n / 2] = ((a[n - 1] + a[n - 1]) + (b[n - 1] + b[n - 1])) * 0.25f;
}

/* ---- Pixels to planes ------------------------------------------------------------------- */

/* Levels 1 to 4 of MS-SSIM. pixels: two rows of each colour, the second one `row`. */
static void to_similarity(distortion_state *s, int row, int is_picture, float *const *pixels)
{
    for (int c = 0; c < RGB; c++) {
        const float *a = pixels[c], *b = pixels[RGB + c];
        int from = s->shape.width;
        for (int level = 1; level < s->similarity_levels; level++) {
            const window *w = &s->similarity[level][c];
            float *plane = is_picture ? w->x : w->y;
            const int at = row >> level;
            /* The coarser row is ready where its second row is. */
            if ((row + 1) % (1 << level) || at >= w->height)
                break;
            float *out = plane + (size_t)at * (size_t)w->width;
            halve(s, from, w->width, a, b, out);
            if (at == 0)
                break;
            a = out - w->width;
            b = out;
            from = w->width;
        }
    }
}

/* A row of the planes X, Y and B of a level, from linear RGB. */
static void to_xyb(distortion_state *s, int level, int row, int is_picture,
                   const float *const *rgb, float *const *cones)
{
    const window *windows = s->visual[level];
    const int width = windows[Y].width, kinds = level ? RGB : 2; /* 1:1 has only Y */
    for (int kind = 0; kind < kinds; kind++)
        s->kernels->cone(width, rgb, kind, cones[kind]);
    for (int plane = 0; plane < RGB; plane++) {
        const window *w = &windows[plane];
        if (w->width)
            s->kernels->xyb(width, (const float *const *)cones, plane,
                            (is_picture ? w->x : w->y) + (size_t)row * (size_t)width);
    }
}

/* Every level of SSIMULACRA 2 below 1:1, from the rows of level 1. */
static void to_coarse_xyb(distortion_state *s, int strip, int is_picture, const pyramid *linear,
                          float *const *cones)
{
    for (int level = 1; level < s->visual_levels; level++) {
        const int width = s->visual[level][Y].width, height = s->visual[level][Y].height;
        const int first = strip * (STRIP >> level);
        for (int row = first; row < first + (STRIP >> level) && row < height; row++) {
            float *rgb[RGB];
            for (int c = 0; c < RGB; c++) {
                rgb[c] = level_row(linear, level, row, c);
                if (level == 1)
                    continue;
                const window *finer = &s->visual[level - 1][Y];
                const int second = 2 * row + 1 < finer->height ? 2 * row + 1 : 2 * row;
                halve(s, finer->width, width, level_row(linear, level - 1, 2 * row, c),
                      level_row(linear, level - 1, second, c), rgb[c]);
            }
            to_xyb(s, level, row, is_picture, (const float *const *)rgb, cones);
        }
    }
}

static double row_error(const distortion_state *s, int row)
{
    const distortion_shape *shape = &s->shape;
    if (row < shape->top || row >= shape->bottom)
        return 0;
    const size_t start = RGB * ((size_t)row * (size_t)shape->width + (size_t)shape->left);
    return s->kernels->error(RGB * (shape->right - shape->left), s->picture + start,
                             s->decoded + start, s->low, s->high);
}

/* Rows of a thread's scratch memory. */
static void rows_of(float **memory, size_t stride, int count, float **rows)
{
    for (int i = 0; i < count; i++, *memory += stride)
        rows[i] = *memory;
}

void strip_to_planes(distortion_state *s, int strip, int is_picture, float *scratch)
{
    const int width = s->shape.width, height = s->shape.height;
    float *pixels[PIXEL_ROWS], *rgb[2 * RGB], *cones[RGB];
    pyramid linear = {0, s->stride};
    if (s->similarity_levels || s->visual_levels) {
        rows_of(&scratch, s->stride, PIXEL_ROWS, pixels);
        rows_of(&scratch, s->stride, 2 * RGB, rgb);
        rows_of(&scratch, s->stride, RGB, cones);
        linear.memory = scratch;
    }
    for (int row = strip * STRIP; row < (strip + 1) * STRIP && row < height; row++) {
        if (!is_picture)
            s->errors[row] = row_error(s, row);
        if (!s->similarity_levels && !s->visual_levels)
            continue;
        const int half = row % 2 ? RGB : 0;
        for (int c = 0; c < RGB; c++)
            (is_picture ? picture_row : decoded_row)(s, row, c, pixels[half + c]);
        to_similarity(s, row, is_picture, pixels);
        if (!s->visual_levels)
            continue;
        for (int c = 0; c < RGB; c++)
            s->kernels->linear(width, pixels[half + c], rgb[half + c]);
        to_xyb(s, 0, row, is_picture, (const float *const *)rgb + half, cones);
        if (s->visual_levels > 1 && (half || row == height - 1))
            for (int c = 0; c < RGB; c++)
                halve(s, width, s->visual[1][Y].width, rgb[c], rgb[half + c],
                      level_row(&linear, 1, row / 2, c));
    }
    to_coarse_xyb(s, strip, is_picture, &linear, cones);
}

/* ---- Slopes to the gradient ------------------------------------------------------------- */

/* Adds a row of n slopes to a row of the finer level. */
static void spread(const distortion_state *s, int n, const float *coarse, int width, float factor,
                   float *fine)
{
    s->kernels->spread(width / 2, coarse, factor, fine);
    if (width / 2 < n)
        fine[width - 1] += 2 * factor * coarse[n - 1];
}

/* Slopes of all levels of MS-SSIM but 1:1 meet at level 1. */
static void from_similarity(distortion_state *s, int strip)
{
    for (int level = s->similarity_levels - 1; level > 0; level--)
        for (int c = 0; c < RGB; c++) {
            const window *w = &s->similarity[level][c], *coarse = w + RGB; /* of the next level */
            const int first = strip * (STRIP >> level);
            for (int row = first; row < first + (STRIP >> level) && row < w->height; row++) {
                float *to = w->g + (size_t)row * (size_t)w->width;
                s->kernels->scale(w->width, w->factors[0], to);
                if (level + 1 < s->similarity_levels && row / 2 < coarse->height)
                    spread(s, coarse->width, coarse->g + (size_t)(row / 2) * (size_t)coarse->width,
                           w->width, 0.25f, to);
            }
        }
}

/* Slopes of all levels of SSIMULACRA 2 but 1:1 meet in linear RGB at level 1. */
static void from_visual(distortion_state *s, int strip, const pyramid *slopes)
{
    for (int level = s->visual_levels - 1; level > 0; level--) {
        const window *windows = s->visual[level];
        const int width = windows[Y].width, height = windows[Y].height;
        const int first = strip * (STRIP >> level);
        for (int row = first; row < first + (STRIP >> level) && row < height; row++) {
            const float *planes[RGB] = {0}, *given[RGB] = {0};
            float *out[RGB];
            const size_t start = (size_t)row * (size_t)width;
            for (int i = 0; i < RGB; i++) {
                planes[i] = windows[i].width ? windows[i].y + start : 0;
                given[i] = windows[i].width ? windows[i].g + start : 0;
                out[i] = level_row(slopes, level, row, i);
            }
            s->kernels->xyb_slopes(width, planes, given, out);
            /* A last row without a partner counted twice. */
            const float factor = row == height - 1 && row % 2 == 0 ? 0.5f : 0.25f;
            for (int c = 0; c < RGB && level + 1 < s->visual_levels; c++)
                spread(s, s->visual[level + 1][Y].width, level_row(slopes, level + 1, row / 2, c),
                       width, factor, out[c]);
        }
    }
}

/* Slopes in a row of pixels, by way of linear RGB. rows: 3 of every colour. */
static void from_linear(distortion_state *s, int row, const pyramid *slopes, float *const *rows,
                        float *const *out)
{
    const int width = s->shape.width;
    float *const *pixels = rows, *const *rgb = rows + RGB, *const *curve = rows + 2 * RGB;
    float *const *cones = pixels; /* pixels are not needed any more then */
    for (int c = 0; c < RGB; c++) {
        decoded_row(s, row, c, pixels[c]);
        s->kernels->linear_slope(width, pixels[c], rgb[c], curve[c]);
    }
    for (int kind = 0; kind < 2; kind++)
        s->kernels->cone_slope(width, (const float *const *)rgb, kind, cones[kind]);
    const float *given = s->visual[0][Y].g + (size_t)row * (size_t)width;
    s->kernels->luma_slopes(width, cones[0], cones[1], given, out);
    const int lone = row == s->shape.height - 1 && row % 2 == 0;
    for (int c = 0; c < RGB; c++) {
        if (s->visual_levels > 1)
            spread(s, s->visual[1][Y].width, level_row(slopes, 1, row / 2, c), width,
                   lone ? 0.5f : 0.25f, out[c]);
        s->kernels->multiply(width, curve[c], out[c]);
    }
}

/* Sets the gradient of a row: what windows at 1:1 left there, and all that `more` has. */
static void finish(distortion_state *s, int row, const float *const *more)
{
    const distortion_shape *shape = &s->shape;
    const size_t width = (size_t)shape->width, left = (size_t)shape->left;
    const size_t right = (size_t)shape->right, start = RGB * (size_t)row * width;
    float *out = s->gradient + start;
    if (row < shape->top || row >= shape->bottom) {
        memset(out, 0, RGB * width * sizeof *out);
        return;
    }
    memset(out, 0, RGB * left * sizeof *out);
    memset(out + RGB * right, 0, RGB * (width - right) * sizeof *out);
    const double samples = (double)RGB * shape->width * shape->height;
    float scales[RGB];
    for (int c = 0; c < RGB; c++)
        scales[c] = s->similarity[0][c].factors[0];
    const float *counted[RGB];
    for (int c = 0; more && c < RGB; c++)
        counted[c] = more[c] + left;
    if (more && !s->similarity_levels)
        memset(out, 0, RGB * width * sizeof *out);
    s->kernels->merge(shape->right - shape->left, s->picture + start + RGB * left,
                      s->decoded + start + RGB * left, s->low, s->high,
                      (float)(2 * s->error_share / samples), scales, more ? counted : 0,
                      out + RGB * left);
}

void strip_to_gradient(distortion_state *s, int strip, float *scratch)
{
    const int width = s->shape.width, height = s->shape.height;
    const int is_plain = !s->similarity_levels && !s->visual_levels;
    float *more[RGB], *rows[3 * RGB];
    pyramid slopes = {0, s->stride};
    if (!is_plain) {
        rows_of(&scratch, s->stride, RGB, more);
        rows_of(&scratch, s->stride, 3 * RGB, rows);
        slopes.memory = scratch;
    }
    from_similarity(s, strip);
    from_visual(s, strip, &slopes);
    for (int row = strip * STRIP; row < (strip + 1) * STRIP && row < height; row++) {
        if (s->visual_levels)
            from_linear(s, row, &slopes, rows, more);
        else if (!is_plain)
            for (int c = 0; c < RGB; c++)
                memset(more[c], 0, (size_t)width * sizeof(float));
        for (int c = 0; s->similarity_levels > 1 && c < RGB; c++) {
            const window *w = &s->similarity[1][c];
            if (row / 2 < w->height)
                spread(s, w->width, w->g + (size_t)(row / 2) * (size_t)w->width, width, 0.25f,
                       more[c]);
        }
        finish(s, row, is_plain ? 0 : (const float *const *)more);
    }
}
