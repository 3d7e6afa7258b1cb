/* distortion.h - how far decoded pixels are from a picture, and the slope of that in every pixel.
 *
 * The three measures of nic.models.distortion.measures, for a search that asks some hundred times
 * about one picture. No allocation: the caller gives one arena. No thread of its own: any number of
 * threads may call distortion_work.
 *
 *
 * The measures
 * ------------
 * All are in units of squared error, mean over the samples of the picture.
 *
 *     error       squared error
 *     similarity  1 - MS-SSIM, times a constant; windows of 11 pixels, mirrored at the border
 *     visual      .7 SSIMULACRA 2 before its last power, .2 error, .1 similarity; weights that
 *                 change no score by a hundredth are left out
 *
 * Decoded pixels count as if they were clipped: to [0, 1] in `visual`, to [-8, 8] in `similarity`,
 * where greater numbers would leave nothing of the sums. The slope is that at the border.
 *
 * MS-SSIM has five levels of resolution and SSIMULACRA 2 has six, of which the coarsest has no
 * weight here. A level with a side below 11 (MS-SSIM) or 8 pixels (SSIMULACRA 2) is left out. The
 * exponents of the other levels of MS-SSIM are then divided by their sum; the weights of
 * SSIMULACRA 2 stay, as in libjxl. Squared error takes the place of a measure without any level.
 *
 *
 * The arithmetic: what makes every machine give the same bits
 * -----------------------------------------------------------
 * Planes are IEEE 754 binary32. Every operation is rounded by itself, nothing is fused, and there
 * are only + - * / and comparisons; pooling has square roots, too. Other roots start from the bits
 * of the number, and a fixed number of Newton's steps follows; rows.h has them. A sum over a row is
 * made in double precision in 16 parts: part k has the samples k, k + 16, ...; the parts are added
 * in order, and then the rows. So no result depends on the length of vectors or on threads.
 *
 *
 * The way of a call
 * -----------------
 * Five phases; all tasks of a phase can be done at once, in any order.
 *
 *     1  strips of 16 rows: decoded pixels to planes of all levels
 *     2  windows: maps of similarity are pooled, and their slopes go back to each plane. The maps
 *        of SSIMULACRA 2 are only pooled
 *     3  the value, and the slope of the value in each pooled number
 *     4  windows: slopes of SSIMULACRA 2 go back to each plane
 *     5  strips: slopes of all levels meet in the gradient
 *
 * A task of windows is a band of rows. It keeps only the 11 rows that the filters need, of each
 * thing that they filter; this fits a cache of the second level.
 */
#ifndef NIC_DISTORTION_H
#define NIC_DISTORTION_H

#include <stddef.h>

#define DISTORTION_SIDE 16777216 /* longest side, in pixels */

typedef enum { DISTORTION_ERROR, DISTORTION_SIMILARITY, DISTORTION_VISUAL } distortion_measure;

/* Instruction sets, best first. DISTORTION_BEST is the first one that this processor has. */
typedef enum {
    DISTORTION_BEST,
    DISTORTION_AVX512,
    DISTORTION_AVX2,
    DISTORTION_PORTABLE
} distortion_isa;

typedef enum {
    DISTORTION_OK = 0,
    DISTORTION_RANGE = -1, /* a number is out of range */
    DISTORTION_NO_ISA = -2 /* this processor does not have the instruction set */
} distortion_result;

/* A picture, and which of its pixels count: rows top..bottom - 1, columns left..right - 1. */
typedef struct {
    int width, height; /* at least 1 */
    int top, bottom, left, right;
} distortion_shape;

typedef struct distortion_state distortion_state; /* lives in the arena */

/* The instruction set that DISTORTION_BEST stands for. */
distortion_isa distortion_best(void);

/* Sets *bytes to the size of the arena, for threads of up to `threads`. */
distortion_result distortion_size(distortion_measure measure, distortion_shape shape, int threads,
                                  size_t *bytes);

/* Prepares a picture. arena[bytes], aligned to 64 bytes. picture[height][width][3] in [0, 1] is not
 * copied: it must stay. */
distortion_result distortion_start(void *arena, distortion_measure measure, distortion_shape shape,
                                   int threads, distortion_isa isa, const float *picture,
                                   distortion_state **state);

/* Says where decoded pixels are and where the gradient goes, both [height][width][3]. They must not
 * overlap, and both must stay until all threads have returned from distortion_work. */
void distortion_begin(distortion_state *state, const float *decoded, float *gradient);

/* Does the work together with all other threads that call it; returns when all of it is done.
 * `thread` is a number below `threads`, another one for each. */
void distortion_work(distortion_state *state, int thread);

/* The value, after distortion_work. */
double distortion_value(const distortion_state *state);

#endif
