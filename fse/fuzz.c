/* fuzz.c - seeded mutation loop over the coder, for sanitisers:
 *
 *     cc -std=c11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all fse/f*.c -o fuzz
 *     ./fuzz SEED ROUNDS
 *
 * A round makes some streams of each kind, damages each of them a few times and decodes that.
 * Every buffer is a heap block of exactly its stated size, so that an access next to it is seen.
 * Fails (by abort) where a round trip differs, where damaged bytes decode to symbols that encode
 * to other bytes, or where both machine codes differ.
 *
 * With -DFUZZ_ENTRY -fsanitize=fuzzer it has libFuzzer's entry in place of main: the first byte
 * chooses the kind, the next eight seed tables and sizes, and the others are the stream.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* ---- Random numbers and memory ----------------------------------------------------------- */

static uint64_t state;

/* splitmix64 */
uint64_t draw(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

size_t below(size_t limit)
{
    return (size_t)(draw() % limit);
}

void demand(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz: %s\n", what);
        abort();
    }
}

void *block(size_t size)
{
    void *p = malloc(size);
    demand(p != NULL || size == 0, "out of memory");
    return p;
}

void *copy(const void *from, size_t size)
{
    void *p = block(size);
    if (size)
        memcpy(p, from, size);
    return p;
}

/* ---- Streams to decode ------------------------------------------------------------------- */

enum { MUTANTS = 4, MOST_ADDED = 9 };

static const bytes *fed; /* by libFuzzer */

unsigned mutants(void)
{
    return fed ? 1 : MUTANTS;
}

/* Flips, random bytes in place of some, a cut at either end, or bytes at either end. */
static size_t damage(uint8_t *at, size_t size)
{
    size_t some = below(size + 1), added = 1 + below(MOST_ADDED);
    switch (below(6)) {
    case 0:
        for (size_t i = 1 + below(3); i > 0 && size > 0; i--)
            at[below(size)] ^= (uint8_t)(1u << below(8));
        return size;
    case 1:
        for (size_t i = some; i < size && below(4); i++)
            at[i] = (uint8_t)draw();
        return size;
    case 2:
        return some;
    case 3:
        memmove(at, at + some, size - some);
        return size - some;
    case 4:
        memmove(at + added, at, size);
        for (size_t i = 0; i < added; i++)
            at[i] = (uint8_t)draw();
        return size + added;
    default:
        for (size_t i = 0; i < added; i++)
            at[size + i] = (uint8_t)draw();
        return size + added;
    }
}

bytes mutant(const uint8_t *stream, size_t size)
{
    if (fed)
        return (bytes){copy(fed->at, fed->size), fed->size};
    uint8_t *room = block(size + MOST_ADDED);
    if (size)
        memcpy(room, stream, size);
    size = damage(room, size);
    bytes made = {copy(room, size), size};
    free(room);
    return made;
}

/* ---- Rounds ------------------------------------------------------------------------------ */

static struct {
    const char *name;
    void (*round)(void);
    unsigned long streams, accepted;
} kinds[] = {
    {"headers", fuzz_header, 0, 0},
    {"whole calls", fuzz_stream, 0, 0},
    {"tables of one byte", fuzz_laplace, 0, 0},
    {"two states", fuzz_two_states, 0, 0},
    {"ramped", fuzz_ramp, 0, 0},
    {"planes by class", fuzz_by_class, 0, 0},
    {"planes by energy", fuzz_by_energy, 0, 0},
    {"planes by pair", fuzz_by_pair, 0, 0},
    {"class costs", fuzz_costs, 0, 0}, /* nothing to damage */
};

enum { KINDS = sizeof kinds / sizeof *kinds };

static unsigned current;

int settle(fse_result result)
{
    demand(result == FSE_OK || fse_is_corrupt(result), "damage blamed on an argument");
    kinds[current].streams++;
    kinds[current].accepted += result == FSE_OK;
    return result == FSE_OK;
}

#ifdef FUZZ_ENTRY
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 9)
        return 0;
    bytes stream = {copy(data + 9, size - 9), size - 9};
    memcpy(&state, data + 1, sizeof state);
    fed = &stream;
    current = data[0] % KINDS;
    kinds[current].round();
    free(stream.at);
    return 0;
}
#else
int main(int argc, char **argv)
{
    state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000, streams = 0;
    for (unsigned long i = 0; i < rounds; i++)
        for (current = 0; current < KINDS; current++)
            kinds[current].round();
    for (unsigned k = 0; k < KINDS; k++) {
        if (kinds[k].streams > 0)
            printf("%9lu %s, %lu accepted\n", kinds[k].streams, kinds[k].name,
                   kinds[k].accepted);
        streams += kinds[k].streams;
    }
    printf("fuzz: %lu damaged streams in %lu rounds\n", streams, rounds);
    return 0;
}
#endif
