/* internal.h - what the C files of the distortions share. */
#ifndef NIC_DISTORTION_INTERNAL_H
#define NIC_DISTORTION_INTERNAL_H

#include <stdatomic.h>

#include "distortion.h"

#define RGB 3
#define LEVELS 5  /* of resolution: 1:1 to 1:16 */
#define STRIP 16  /* rows of pixels that make whole rows of every level */
#define RADIUS 5
#define TAPS 11   /* of the filter: 2 RADIUS + 1 */
#define MARGIN 16 /* floats before and after a row, for the filter */
#define POOLED 6  /* numbers of a plane: loss, ringing, blur: their means, then their 4-norms */
#define MOST_BANDS 16
#define PHASES 5

enum { LOSS, RINGING, BLUR, NORMS }; /* the 4-norm of LOSS is at NORMS + LOSS, ... */
enum { X, Y, B };                    /* planes of SSIMULACRA 2 */

/* The filter's taps at 0, 1, ..., 5: a Gaussian of deviation 1.5. */
static const float FILTER[RADIUS + 1] = {0.26601172f,  0.21300554f,   0.10936069f,
                                         0.036000773f, 0.0075987582f, 0.0010283801f};

/* A plane of one level, that windows slide over. Of pixels themselves (similarity, 1:1) there is no
 * plane: x and y are read from the pictures, and g is in the gradient. */
typedef struct {
    float *x, *y, *g;        /* of the picture; decoded; slopes: [height][width] */
    int width, height;
    int plane, is_last;      /* R, G, B or X, Y, B; whether it is the coarsest level */
    int is_pooled[POOLED];   /* numbers that have a weight; visual only */
    double *sums;            /* [height][1 or POOLED] */
    float factors[POOLED];   /* slope of the value in each sample of a map; [0] only: similarity */
} window;

/* A row of a filter's input, 11 of them around the output, and their weights. */
typedef const float *const *rows_of_taps;

/* The loops over n samples of rows; rows.h and window_rows.h describe them. */
typedef struct {
    void (*pick)(int n, const float *in, float low, float high, float *out);
    double (*error)(int n, const float *x, const float *y, float low, float high);
    double (*sum)(int n, const float *map);
    void (*halve)(int n, const float *a, const float *b, float *out);
    void (*linear)(int n, const float *in, float *out);
    void (*linear_slope)(int n, const float *in, float *out, float *slope);
    void (*cone)(int n, const float *const *rgb, int kind, float *out);
    void (*cone_slope)(int n, const float *const *rgb, int kind, float *out);
    void (*xyb)(int n, const float *const *cones, int plane, float *out);
    void (*xyb_slopes)(int n, const float *const *planes, const float *const *slopes,
                       float *const *out);
    void (*luma_slopes)(int n, const float *l, const float *m, const float *slope,
                        float *const *out);
    void (*spread)(int n, const float *coarse, float factor, float *fine);
    void (*scale)(int n, float factor, float *row);
    void (*multiply)(int n, const float *factor, float *row);
    void (*merge)(int n, const float *x, const float *y, float low, float high, float factor,
                  const float *scales, const float *const *more, float *gradient);
    void (*products)(int n, const float *x, const float *y, float *squares, float *products);
    void (*across)(int n, const float *in, float *out);
    void (*down)(int n, rows_of_taps in, float *out);
    void (*down_weighted)(int n, rows_of_taps in, const float *weights, float *out);
    void (*similarity)(int n, const float *const *blurred, int is_last, float *map,
                       float *const *slopes);
    void (*maps)(int n, const float *const *blurred, const float *x, const float *y, float *loss,
                 float *edges);
    void (*map_slopes)(int n, const float *const *blurred, const float *x, const float *y,
                       const float *factors, float *const *slopes);
    double (*mean)(int n, const float *map, float sign);
    double (*norm)(int n, const float *map, float sign);
    void (*back)(int n, const float *const *slopes, const float *x, const float *y, float *out);
} kernels;

typedef struct {
    window *on;
    int top, bottom;
} band;

typedef struct {
    int count; /* of tasks */
    _Alignas(64) atomic_int next;
    _Alignas(64) atomic_int done;
} phase;

struct distortion_state {
    distortion_shape shape;
    const float *picture, *decoded;
    float *gradient;
    const kernels *kernels;
    float low, high;                               /* decoded pixels are clipped to these */
    double error_share, similarity_share, visual_share; /* of the value; units included */
    int similarity_levels, visual_levels;
    window similarity[LEVELS][RGB], visual[LEVELS][RGB]; /* visual: width 0 if not wanted */
    double *errors;                                /* [height]: sums of squared error */
    double value;
    size_t stride;                                 /* floats of a row with its margins */
    float *scratch;                                /* of thread 0 */
    size_t scratch_floats;                         /* per thread */
    int threads, bands[2];
    band list[2][2 * LEVELS * RGB * MOST_BANDS];   /* tasks of phases 2 and 4 */
    phase phases[PHASES];
};

/* strips.c. Number of floats of scratch memory that a strip needs. */
size_t strip_floats(const distortion_state *s);
/* Planes of a strip of 16 rows, from `pixels`: the picture's if is_picture. */
void strip_to_planes(distortion_state *s, int strip, int is_picture, float *scratch);
void strip_to_gradient(distortion_state *s, int strip, float *scratch);
/* Row of one colour, of the picture or of decoded pixels as they count. */
void picture_row(const distortion_state *s, int row, int colour, float *out);
void decoded_row(const distortion_state *s, int row, int colour, float *out);

/* windows.c */
size_t window_floats(const distortion_state *s);
void slide_similarity(const distortion_state *s, const band *task, float *scratch);
void slide_visual(const distortion_state *s, const band *task, int backward, float *scratch);

/* pooling.c */
/* Sets which numbers of a plane have a weight; whether any has. */
int is_wanted(int level, int plane, int *is_pooled);
void choose_shares(distortion_state *s, distortion_measure measure);
void pool_all(distortion_state *s);

extern const kernels distortion_portable;
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__)
#define DISTORTION_X86
extern const kernels distortion_avx512, distortion_avx2;
#endif

#endif
