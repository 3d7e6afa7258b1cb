/* pooling.c - from sums of maps to the value, and to its slope in each sample of the maps.
 *
 * Constants and formulas are those of nic.models.distortion, where their sources are named.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "internal.h"

#define EQUIVALENT_ERROR (1270.0 / (255.0 * 255.0))
#define INNER_ERROR 4e-5
#define PLAIN_SHARE 0.2
#define SIMILARITY_SHARE 0.1
#define LEAST_SIMILARITY 1e-3
#define TINY 1e-20
#define WHOLE 0.9562382616834844

/* Exponents of MS-SSIM's levels. */
static const double EXPONENTS[LEVELS] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};

/* Coefficients of the polynomial after the weighted sum of SSIMULACRA 2. */
static const double CUBIC[3] = {2.326765642916932, -0.020884521182843837, 6.248496625763138e-5};

/* Weights of SSIMULACRA 2 by level and plane: means of loss, ringing, blur; then their 4-norms. */
static const double WEIGHTS[LEVELS][RGB][POOLED] = {
    {{0}, {0, 0, 0, 7.4668903, 0, 17.445834}, {0}},
    {{0, 0, 0, 1.1041726, 0, 0}, {0, 0, 0, 6.6836781, 0, 1.0278899}, {0}},
    {{0, 0, 0, 1.8422456, 11.441173, 0}, {225.20515, 0, 0, 19.213238, 0, 0}, {0}},
    {{0, 0, 0, 1.8787595, 10.94907, 0},
     {176.39318, 0, 0, 24.43301, 0.28520803, 0},
     {0, 0, 0, 8.8269828, 23.192433, 0}},
    {{0, 0.96779371, 0, 0, 0.9981767, 0},
     {0, 0, 0, 34.779063, 44.835625, 0},
     {95.10805, 0.9863978, 0.98343828, 0, 171.26673, 0.98078589}},
};

int is_wanted(int level, int plane, int *is_pooled)
{
    int wanted = 0;
    for (int i = 0; i < POOLED; i++) {
        is_pooled[i] = WEIGHTS[level][plane][i] > 0;
        wanted |= is_pooled[i];
    }
    return wanted;
}

void choose_shares(distortion_state *s, distortion_measure measure)
{
    static const double shares[][RGB] = {
        [DISTORTION_ERROR] = {1, 0, 0},
        [DISTORTION_SIMILARITY] = {0, 1, 0},
        [DISTORTION_VISUAL] = {PLAIN_SHARE, SIMILARITY_SHARE, 1 - PLAIN_SHARE - SIMILARITY_SHARE},
    };
    static const float limits[][2] = {
        [DISTORTION_ERROR] = {-3e38f, 3e38f},
        [DISTORTION_SIMILARITY] = {-8, 8},
        [DISTORTION_VISUAL] = {0, 1},
    };
    const double similarity = s->similarity_levels ? shares[measure][1] : 0;
    const double visual = s->visual_levels ? shares[measure][2] : 0;
    s->error_share = similarity == shares[measure][1] && visual == shares[measure][2]
        ? shares[measure][0]
        : 1 - similarity - visual;
    s->similarity_share = similarity * EQUIVALENT_ERROR;
    s->visual_share = visual * INNER_ERROR;
    s->low = limits[measure][0];
    s->high = limits[measure][1];
}

/* Natural logarithm of a number in [1e-3, 2]: of its fraction f by the series of
 * 2 artanh((f - 1) / (f + 1)). */
static double logarithm(double x)
{
    int halvings = 0;
    for (; x < 0.7; halvings++)
        x *= 2;
    const double z = (x - 1) / (x + 1);
    double sum = 0;
    for (int k = 41; k > 0; k -= 2)
        sum = sum * (z * z) + 1.0 / k;
    return 2 * z * sum - halvings * 0.69314718055994530942;
}

/* e^x of a number in [-8, 1], by Taylor's series of x / 16. */
static double exponential(double x)
{
    double sum = 1;
    for (int k = 14; k > 0; k--)
        sum = 1 + sum * (x / 16) / k;
    for (int k = 0; k < 4; k++)
        sum *= sum;
    return sum;
}

static double sum_of(const double *sums, int count, int step)
{
    double sum = 0;
    for (int i = 0; i < count; i++)
        sum += sums[(size_t)i * (size_t)step];
    return sum;
}

/* The share of MS-SSIM in the value. */
static double pool_similarity(distortion_state *s)
{
    double all = 0, exponents = 0;
    for (int level = 0; level < s->similarity_levels; level++)
        exponents += EXPONENTS[level];
    for (int c = 0; c < RGB; c++) {
        double means[LEVELS], power = 0;
        for (int level = 0; level < s->similarity_levels; level++) {
            const window *w = &s->similarity[level][c];
            const double mean =
                sum_of(w->sums, w->height, 1) / ((double)w->width * (double)w->height);
            means[level] = mean;
            power += EXPONENTS[level] / exponents
                * logarithm(mean > LEAST_SIMILARITY ? mean : LEAST_SIMILARITY);
        }
        const double product = exponential(power);
        all += product;
        for (int level = 0; level < s->similarity_levels; level++) {
            window *w = &s->similarity[level][c];
            const double slope = means[level] > LEAST_SIMILARITY
                ? EXPONENTS[level] / exponents * product / means[level]
                : 0;
            w->factors[0] = (float)(-s->similarity_share / RGB * slope
                                    / ((double)w->width * (double)w->height));
        }
    }
    return s->similarity_share * (1 - all / RGB);
}

/* The share of SSIMULACRA 2 in the value. */
static double pool_visual(distortion_state *s)
{
    double total = 0, slopes[LEVELS][RGB][POOLED] = {{{0}}};
    for (int level = 0; level < s->visual_levels; level++)
        for (int plane = 0; plane < RGB; plane++)
            for (int i = 0; i < POOLED; i++) {
                const window *w = &s->visual[level][plane];
                const double weight = WEIGHTS[level][plane][i];
                if (!w->is_pooled[i])
                    continue;
                const double samples = (double)w->width * (double)w->height;
                const double mean = sum_of(w->sums + i, w->height, POOLED) / samples;
                const double root = sqrt(mean + TINY), norm = sqrt(root);
                total += weight * (i < NORMS ? mean : norm - 1e-5);
                slopes[level][plane][i] = weight / samples / (i < NORMS ? 1 : root * norm);
            }
    total *= WHOLE;
    const double slope = WHOLE * s->visual_share
        * (CUBIC[0] + total * (2 * CUBIC[1] + total * 3 * CUBIC[2]));
    for (int level = 0; level < s->visual_levels; level++)
        for (int plane = 0; plane < RGB; plane++)
            for (int i = 0; i < POOLED; i++)
                s->visual[level][plane].factors[i] = (float)(slope * slopes[level][plane][i]);
    return s->visual_share * total * (CUBIC[0] + total * (CUBIC[1] + total * CUBIC[2]));
}

void pool_all(distortion_state *s)
{
    const double samples = (double)RGB * s->shape.width * s->shape.height;
    s->value = s->error_share * (sum_of(s->errors, s->shape.height, 1) / samples)
        + pool_similarity(s) + pool_visual(s);
}
