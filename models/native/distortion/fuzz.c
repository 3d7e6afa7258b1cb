/* fuzz.c - random pictures through the distortions, under sanitisers:
 *
 *     cc -std=c11 -O1 -g -ffp-contract=off -fsanitize=address,undefined \
 *         models/native/distortion/?*.c -lm
 *     ./a.out [SEED [ROUNDS]]
 *
 * Each round draws a picture of random size, decoded pixels and what counts. On every instruction
 * set and for several numbers of threads, value and gradient have to be the same, bit for bit,
 * finite, and 0 where nothing counts. The arena starts as NaN, so nothing may be read from it that
 * was not written. Under AddressSanitizer nothing may touch the guards between its arrays.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "distortion.h"

#define RGB 3

static uint64_t state;

static unsigned draw(unsigned below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

static float unit(void)
{
    return (float)draw(1 << 20) / (1 << 20);
}

static void *room(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p)
        abort();
    return p;
}

static void expect(int holds, const char *what, unsigned round)
{
    if (!holds) {
        fprintf(stderr, "distortion fuzz: %s in round %u\n", what, round);
        exit(1);
    }
}

static distortion_shape random_shape(void)
{
    const unsigned most = draw(4) ? 40 : 300;
    distortion_shape s = {0};
    s.width = 1 + (int)draw(most);
    s.height = 1 + (int)draw(most);
    s.bottom = s.height;
    s.right = s.width;
    if (draw(3) == 0) {
        s.top = (int)draw((unsigned)s.height);
        s.bottom = s.top + (int)draw((unsigned)(s.height - s.top) + 1);
        s.left = (int)draw((unsigned)s.width);
        s.right = s.left + (int)draw((unsigned)(s.width - s.left) + 1);
    }
    return s;
}

/* A picture of flat areas, black and white ones among them, and of noise; and a decoded version,
 * with an error that may be 0 or far beyond any pixel. */
static void random_pixels(distortion_shape s, float *picture, float *decoded)
{
    static const float errors[] = {0, 0.004f, 0.1f, 3, 1e30f};
    const unsigned cell = 1 + draw(20), noisy = draw(2);
    const float error = errors[draw(5)];
    float level = 0;
    for (size_t i = 0; i < (size_t)s.width * (size_t)s.height * RGB; i++) {
        if (i % (cell * RGB) == 0)
            level = (float)draw(5) / 4;
        picture[i] = noisy ? level * unit() : level;
        decoded[i] = picture[i] + error * (2 * unit() - 1);
    }
}

/* One call; the value, and its gradient. */
static double ask(distortion_measure measure, distortion_shape s, int threads, distortion_isa isa,
                  const float *picture, const float *decoded, float *gradient)
{
    size_t bytes;
    distortion_state *made;
    if (distortion_size(measure, s, threads, &bytes) != DISTORTION_OK)
        abort();
    void *arena = room(bytes);
    memset(arena, 0xff, bytes);
    memset(gradient, 0xff, (size_t)s.width * (size_t)s.height * RGB * sizeof *gradient);
    if (distortion_start(arena, measure, s, threads, isa, picture, &made) != DISTORTION_OK)
        abort();
    distortion_begin(made, decoded, gradient);
    distortion_work(made, threads - 1);
    const double value = distortion_value(made);
    distortion_work(made, 0); /* a thread that is late finds no work */
    free(arena);
    return value;
}

static void check_gradient(distortion_shape s, const float *gradient, unsigned round)
{
    for (int row = 0; row < s.height; row++)
        for (int column = 0; column < s.width; column++)
            for (int c = 0; c < RGB; c++) {
                const float slope = gradient[((size_t)row * (size_t)s.width + (size_t)column) * RGB
                                             + (size_t)c];
                const int counts = row >= s.top && row < s.bottom && column >= s.left
                    && column < s.right;
                expect(isfinite(slope), "a slope is not finite", round);
                expect(counts || slope == 0, "a slope where nothing counts", round);
            }
}

/* The bits of numbers, whatever the order of bytes. */
static uint64_t digested(uint64_t digest, const float *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &numbers[i], sizeof bits);
        digest = (digest ^ bits) * 1099511628211u;
    }
    return digest;
}

int main(int count, char **words)
{
    const unsigned seed = count > 1 ? (unsigned)strtoul(words[1], 0, 10) : 1;
    const unsigned rounds = count > 2 ? (unsigned)strtoul(words[2], 0, 10) : 100;
    uint64_t digest = 14695981039346656037u;
    state = seed;
    for (unsigned round = 0; round < rounds; round++) {
        const distortion_shape s = random_shape();
        const size_t bytes = (size_t)s.width * (size_t)s.height * RGB * sizeof(float);
        float *picture = room(bytes), *decoded = room(bytes);
        float *gradient = room(bytes), *other = room(bytes);
        random_pixels(s, picture, decoded);
        for (int m = DISTORTION_ERROR; m <= DISTORTION_VISUAL; m++) {
            const distortion_measure measure = (distortion_measure)m;
            const double value =
                ask(measure, s, 1, DISTORTION_PORTABLE, picture, decoded, gradient);
            expect(isfinite(value), "a value is not finite", round);
            check_gradient(s, gradient, round);
            for (int isa = DISTORTION_AVX512; isa <= DISTORTION_PORTABLE; isa++) {
                const int threads = 1 + (int)draw(5); /* the same everywhere */
                if (isa < (int)distortion_best())
                    continue;
                const double again =
                    ask(measure, s, threads, (distortion_isa)isa, picture, decoded, other);
                expect(memcmp(&value, &again, sizeof value) == 0, "two values", round);
                expect(memcmp(gradient, other, bytes) == 0, "two gradients", round);
            }
            const float rounded = (float)value;
            digest = digested(digested(digest, &rounded, 1), gradient, bytes / sizeof(float));
        }
        free(picture);
        free(decoded);
        free(gradient);
        free(other);
    }
    printf("distortion fuzz: %u pictures, digest %016llx\n", rounds, (unsigned long long)digest);
    return 0;
}
