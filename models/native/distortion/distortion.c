/* distortion.c - lays out planes in the arena, and hands out the work. */
#include "distortion.h"

#include <string.h>

#include "../platform.h"
#include "internal.h"

#define LINE 64            /* bytes in a line of the cache */
#define LEAST_SIMILARITY 11 /* pixels a side of the coarsest level: a window */
#define LEAST_VISUAL 8
#define LEAST_BAND 48      /* rows; above and below, a band computes 10 more */

/* ---- Layout ----------------------------------------------------------------------------- */

/* n / step, rounded up. */
static int up(int n, int step)
{
    return (n + step - 1) / step;
}

static size_t greater(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Takes bytes from the arena, in whole lines of the cache; counts only while arena is 0. */
static void *take(void *arena, size_t *bytes, size_t wanted)
{
    unsigned char *at = arena ? (unsigned char *)arena + *bytes : 0;
    wanted = (wanted + LINE - 1) / LINE * LINE;
    *bytes += wanted + GUARD;
    if (at)
        FORBID(at + wanted, GUARD);
    return at;
}

static void take_window(window *w, int has_planes, int numbers, void *arena, size_t *bytes)
{
    const size_t plane = (size_t)w->width * (size_t)w->height * sizeof(float);
    w->sums = take(arena, bytes, (size_t)w->height * (size_t)numbers * sizeof(double));
    if (has_planes) {
        w->x = take(arena, bytes, plane);
        w->y = take(arena, bytes, plane);
        w->g = take(arena, bytes, plane);
    }
}

/* The levels of both measures, and their planes. */
static void lay_out_windows(distortion_state *s, void *arena, size_t *bytes)
{
    const int width = s->shape.width, height = s->shape.height;
    for (int level = 0; level < s->similarity_levels; level++)
        for (int c = 0; c < RGB; c++) {
            window *w = &s->similarity[level][c];
            w->width = width >> level;
            w->height = height >> level;
            w->plane = c;
            w->is_last = level == s->similarity_levels - 1;
            take_window(w, level > 0, 1, arena, bytes);
        }
    for (int level = 0; level < s->visual_levels; level++)
        for (int plane = 0; plane < RGB; plane++) {
            window *w = &s->visual[level][plane];
            if (is_wanted(level, plane, w->is_pooled)) {
                w->width = up(width, 1 << level);
                w->height = up(height, 1 << level);
                w->plane = plane;
                take_window(w, 1, POOLED, arena, bytes);
            }
        }
}

/* Bands of a window, added to the tasks of a phase. */
static void add_bands(distortion_state *s, int list, window *w)
{
    int count = w->height / LEAST_BAND < s->threads ? w->height / LEAST_BAND : s->threads;
    count = count < 1 ? 1 : count < MOST_BANDS ? count : MOST_BANDS;
    for (int i = 0; i < count; i++) {
        const long long height = w->height;
        s->list[list][s->bands[list]++] =
            (band){w, (int)(height * i / count), (int)(height * (i + 1) / count)};
    }
}

static void list_bands(distortion_state *s)
{
    for (int level = 0; level < LEVELS; level++)
        for (int plane = 0; plane < RGB; plane++) {
            if (level < s->similarity_levels)
                add_bands(s, 0, &s->similarity[level][plane]);
            if (s->visual[level][plane].width) {
                add_bands(s, 0, &s->visual[level][plane]);
                add_bands(s, 1, &s->visual[level][plane]);
            }
        }
}

static int is_valid(distortion_measure measure, distortion_shape shape, int threads)
{
    return shape.width >= 1 && shape.width <= DISTORTION_SIDE && shape.height >= 1
        && shape.height <= DISTORTION_SIDE && shape.top >= 0 && shape.top <= shape.bottom
        && shape.bottom <= shape.height && shape.left >= 0 && shape.left <= shape.right
        && shape.right <= shape.width && threads >= 1
        && (measure == DISTORTION_ERROR || measure == DISTORTION_SIMILARITY
            || measure == DISTORTION_VISUAL);
}

static void lay_out(distortion_state *s, distortion_measure measure, distortion_shape shape,
                    int threads, void *arena, size_t *bytes)
{
    memset(s, 0, sizeof *s);
    s->shape = shape;
    s->threads = threads;
    const int least = shape.width < shape.height ? shape.width : shape.height;
    if (measure != DISTORTION_ERROR)
        while (s->similarity_levels < LEVELS && least >> s->similarity_levels >= LEAST_SIMILARITY)
            s->similarity_levels++;
    if (measure == DISTORTION_VISUAL)
        while (s->visual_levels < LEVELS && up(least, 1 << s->visual_levels) >= LEAST_VISUAL)
            s->visual_levels++;
    choose_shares(s, measure);
    /* An odd number of lines: rows one below the other do not share sets of the cache. */
    const size_t lines = (size_t)up(shape.width, LINE / (int)sizeof(float));
    s->stride = ((lines * LINE + 2 * MARGIN * sizeof(float)) / LINE | 1) * LINE / sizeof(float);
    *bytes = 0;
    take(arena, bytes, sizeof *s);
    s->errors = take(arena, bytes, (size_t)shape.height * sizeof(double));
    lay_out_windows(s, arena, bytes);
    s->scratch_floats = strip_floats(s);
    if (s->similarity_levels || s->visual_levels)
        s->scratch_floats = greater(s->scratch_floats, window_floats(s));
    s->scratch = take(arena, bytes, (size_t)threads * s->scratch_floats * sizeof(float));
    list_bands(s);
    const int strips = up(shape.height, STRIP);
    const int counts[PHASES] = {strips, s->bands[0], 1, s->bands[1], strips};
    for (int i = 0; i < PHASES; i++)
        s->phases[i].count = counts[i];
}

distortion_result distortion_size(distortion_measure measure, distortion_shape shape, int threads,
                                  size_t *bytes)
{
    distortion_state state;
    if (!is_valid(measure, shape, threads))
        return DISTORTION_RANGE;
    lay_out(&state, measure, shape, threads, 0, bytes);
    return DISTORTION_OK;
}

distortion_isa distortion_best(void)
{
#if defined(DISTORTION_X86)
    if (__builtin_cpu_supports("avx512f"))
        return DISTORTION_AVX512;
    if (__builtin_cpu_supports("avx2"))
        return DISTORTION_AVX2;
#endif
    return DISTORTION_PORTABLE;
}

static const kernels *kernels_of(distortion_isa isa)
{
#if defined(DISTORTION_X86)
    if (isa == DISTORTION_AVX512)
        return &distortion_avx512;
    if (isa == DISTORTION_AVX2)
        return &distortion_avx2;
#endif
    return isa == DISTORTION_PORTABLE ? &distortion_portable : 0;
}

distortion_result distortion_start(void *arena, distortion_measure measure, distortion_shape shape,
                                   int threads, distortion_isa isa, const float *picture,
                                   distortion_state **state)
{
    const distortion_isa best = distortion_best();
    isa = isa == DISTORTION_BEST ? best : isa;
    if (isa < best || !kernels_of(isa))
        return DISTORTION_NO_ISA;
    size_t bytes;
    const distortion_result result = distortion_size(measure, shape, threads, &bytes);
    if (result != DISTORTION_OK)
        return result;
    ALLOW(arena, bytes);
    distortion_state *s = arena;
    lay_out(s, measure, shape, threads, arena, &bytes);
    s->kernels = kernels_of(isa);
    s->picture = picture;
    for (int strip = 0; strip < s->phases[0].count; strip++)
        strip_to_planes(s, strip, 1, s->scratch);
    *state = s;
    return DISTORTION_OK;
}

/* ---- Work ------------------------------------------------------------------------------- */

void distortion_begin(distortion_state *s, const float *decoded, float *gradient)
{
    s->decoded = decoded;
    s->gradient = gradient;
    for (int i = 0; i < PHASES; i++) {
        atomic_store(&s->phases[i].next, 0);
        atomic_store(&s->phases[i].done, 0);
    }
}

static void do_task(distortion_state *s, int phase_number, int task, float *scratch)
{
    if (phase_number == 0) {
        strip_to_planes(s, task, 0, scratch);
    } else if (phase_number == 2) {
        pool_all(s);
    } else if (phase_number == 4) {
        strip_to_gradient(s, task, scratch);
    } else {
        const band *b = &s->list[phase_number / 2][task];
        if (b->on >= &s->visual[0][0] && b->on <= &s->visual[LEVELS - 1][RGB - 1])
            slide_visual(s, b, phase_number == 3, scratch);
        else
            slide_similarity(s, b, scratch);
    }
}

void distortion_work(distortion_state *s, int thread)
{
    float *scratch = s->scratch + (size_t)thread * s->scratch_floats;
    for (int i = 0; i < PHASES; i++) {
        phase *p = &s->phases[i];
        int task;
        while ((task = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed)) < p->count) {
            do_task(s, i, task, scratch);
            atomic_fetch_add_explicit(&p->done, 1, memory_order_release);
        }
        for (int looks = 0; atomic_load_explicit(&p->done, memory_order_acquire) < p->count;)
            if (++looks >= PATIENCE)
                GIVE_WAY();
    }
}

double distortion_value(const distortion_state *s)
{
    return s->value;
}
