/* fuzz.c - seeded mutation loop over the coder, for sanitisers:
 *
 *     cc -std=c11 -g -O1 -fsanitize=address,undefined fse/f*.c -o fuzz && ./fuzz 1 20000
 *
 * Arguments: seed, rounds. Every buffer is a heap block of exactly its stated size, so that an
 * access next to it is seen. Fails (by abort) where a round trip differs, or where damaged bytes
 * decode to symbols that encode to other bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fse.h"

static uint64_t state;

/* splitmix64 */
static uint64_t draw(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static size_t below(size_t limit)
{
    return (size_t)(draw() % limit);
}

static void demand(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fuzz: %s\n", what);
        abort();
    }
}

static void *block(size_t size)
{
    void *p = malloc(size ? size : 1);
    demand(p != NULL, "out of memory");
    return p;
}

static void *copy(const void *from, size_t size)
{
    void *p = block(size);
    if (size)
        memcpy(p, from, size);
    return p;
}

/* Up to three flips, a cut, or random bytes in place of some. */
static size_t damage(uint8_t *bytes, size_t size)
{
    if (size == 0)
        return 0;
    switch (below(3)) {
    case 0:
        for (size_t i = 1 + below(3); i > 0; i--)
            bytes[below(size)] ^= (uint8_t)(1u << below(8));
        return size;
    case 1:
        return below(size);
    default:
        for (size_t i = below(size); i < size && below(4); i++)
            bytes[i] = (uint8_t)draw();
        return size;
    }
}

/* Symbols 0..top, ever rarer for a large slope. */
static void fill(uint8_t *symbols, size_t n, unsigned top, size_t slope)
{
    for (size_t i = 0; i < n; i++) {
        unsigned s = 0;
        while (s < top && below(slope))
            s++;
        symbols[i] = (uint8_t)(below(2) ? s : top - s);
    }
}

/* ---- Whole calls ------------------------------------------------------------------------ */

static void try_stream(void)
{
    size_t n = below(below(2) ? 40 : 3000), capacity = fse_compress_bound(n), size;
    unsigned top = 1 + (unsigned)below(255), log = FSE_MIN_LOG + (unsigned)below(8);
    uint8_t *symbols = block(n), *back = block(n), *dst = block(capacity);
    fse_kind kind;
    fill(symbols, n, top, 1 + below(40));
    demand(fse_compress(symbols, n, top, log, dst, capacity, &size, &kind) == FSE_OK, "compress");
    if (kind == FSE_STREAM) {
        uint8_t *stream = copy(dst, size);
        demand(fse_decompress(stream, size, top, FSE_MAX_LOG, back, n) == FSE_OK, "decompress");
        demand(memcmp(symbols, back, n) == 0, "round trip");
        size = damage(stream, size);
        uint8_t *cut = copy(stream, size);
        fse_result result = fse_decompress(cut, size, top, FSE_MAX_LOG, back, n);
        demand(result == FSE_OK || fse_is_corrupt(result), "damage blamed on an argument");
        free(cut);
        free(stream);
    }
    free(symbols);
    free(back);
    free(dst);
}

/* ---- Contexts --------------------------------------------------------------------------- */

typedef struct {
    fse_encoder encoder;
    fse_decoder decoder;
    int16_t *norm;
} bank;

/* Random counts that add up: most valid, some with one symbol only. */
static void draw_counts(int16_t *norm, unsigned alphabet, unsigned table_log)
{
    memset(norm, 0, alphabet * sizeof *norm);
    for (int left = 1 << table_log; left > 0;) {
        int cells = 1 + (int)below(below(4) ? 3 : (size_t)left);
        cells = cells < left ? cells : left;
        unsigned s = (unsigned)below(alphabet);
        norm[s] = (int16_t)(norm[s] + cells);
        left -= cells;
    }
    for (unsigned s = 0; s < alphabet; s++)
        if (norm[s] == 1 && below(2))
            norm[s] = -1;
}

static bank open_bank(void)
{
    fse_shape shape = {FSE_MIN_LOG + (unsigned)below(8), 2 + (unsigned)below(255),
                       1 + (unsigned)below(FSE_MAX_TABLES)};
    size_t cells = (size_t)shape.tables << shape.table_log;
    size_t columns = (size_t)shape.tables * shape.alphabet;
    bank b = {{shape, block(cells * sizeof(uint16_t)), block(columns * sizeof(fse_move))},
              {shape, block(cells * sizeof(fse_cell)), block(columns * sizeof(uint16_t))},
              block(columns * sizeof(int16_t))};
    for (size_t t = 0; t < shape.tables; t++)
        draw_counts(b.norm + t * shape.alphabet, shape.alphabet, shape.table_log);
    return b;
}

static void close_bank(bank *b)
{
    free(b->encoder.next);
    free(b->encoder.moves);
    free(b->decoder.cells);
    free(b->decoder.first);
    free(b->norm);
}

/* Damaged payloads: whatever decodes has to encode to the same bytes. */
static void try_damage(const bank *b, uint8_t *payload, size_t size, const uint8_t *plane, size_t n)
{
    size_t capacity = fse_payload_bound(n, b->encoder.shape.table_log), again;
    uint8_t *symbols = block(n), *dst = block(capacity);
    size = damage(payload, size);
    uint8_t *cut = copy(payload, size);
    fse_result result = fse_decode(&b->decoder, cut, size, plane, n, symbols);
    demand(result == FSE_OK || fse_is_corrupt(result), "damage blamed on an argument");
    if (result == FSE_OK) {
        result = fse_encode(&b->encoder, symbols, plane, n, dst, capacity, &again);
        demand(result == FSE_OK && again == size && memcmp(dst, cut, size) == 0, "not canonical");
    }
    free(cut);
    free(symbols);
    free(dst);
}

static void try_contexts(void)
{
    bank b = open_bank();
    fse_shape shape = b.encoder.shape;
    fse_result built = fse_build_encoder(&b.encoder, b.norm);
    demand(built == fse_build_decoder(&b.decoder, b.norm), "encoder and decoder disagree");
    demand(built == FSE_OK || built == FSE_ONE_SYMBOL, "valid tables refused");
    size_t n = below(below(2) ? 8 : 2000), size = 0;
    size_t capacity = fse_payload_bound(n, shape.table_log);
    uint8_t *symbols = block(n), *back = block(n), *plane = block(n), *dst = block(capacity);
    int wild = below(8) == 0; /* symbols without cells */
    for (size_t i = 0; i < n; i++) {
        plane[i] = (uint8_t)below(shape.tables);
        do
            symbols[i] = (uint8_t)below(wild ? 256 : shape.alphabet);
        while (!wild && b.norm[plane[i] * shape.alphabet + symbols[i]] == 0);
    }
    if (built == FSE_OK) {
        fse_result coded = fse_encode(&b.encoder, symbols, plane, n, dst, capacity, &size);
        demand(coded == FSE_OK || (wild && coded == FSE_ABSENT_SYMBOL), "encode");
        if (coded == FSE_OK) {
            uint8_t *payload = copy(dst, size);
            demand(fse_decode(&b.decoder, payload, size, plane, n, back) == FSE_OK, "decode");
            demand(memcmp(symbols, back, n) == 0, "round trip with contexts");
            try_damage(&b, payload, size, plane, n);
            free(payload);
        }
    }
    free(symbols);
    free(back);
    free(plane);
    free(dst);
    close_bank(&b);
}

/* ---- Headers ---------------------------------------------------------------------------- */

static void try_header(void)
{
    size_t size = below(40), used;
    unsigned alphabet = 1 + (unsigned)below(256), log = FSE_MIN_LOG + (unsigned)below(8);
    uint8_t *bytes = block(size), *dst = block(FSE_HEADER_BOUND);
    int16_t *norm = block(alphabet * sizeof *norm);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(below(4) ? draw() : below(2) * 0xff);
    fse_result result = fse_read_header(bytes, size, norm, &alphabet, &log, &used);
    demand(result == FSE_OK || fse_is_corrupt(result), "header blamed on an argument");
    if (result == FSE_OK) { /* a run of zeros can be split, so only the counts are the same */
        size_t written, used_again;
        int16_t again[FSE_ALPHABET];
        unsigned alphabet_again = FSE_ALPHABET, log_again = FSE_MAX_LOG;
        demand(used <= size, "header beyond its bytes");
        demand(fse_write_header(norm, alphabet, log, dst, &written) == FSE_OK, "write header");
        demand(written <= used, "header longer than what it was read from");
        demand(fse_read_header(dst, written, again, &alphabet_again, &log_again, &used_again)
                   == FSE_OK, "read header again");
        demand(used_again == written && alphabet_again == alphabet && log_again == log
                   && memcmp(norm, again, alphabet * sizeof *norm) == 0, "header round trip");
    }
    free(bytes);
    free(dst);
    free(norm);
}

int main(int argc, char **argv)
{
    state = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000;
    for (unsigned long i = 0; i < rounds; i++) {
        try_stream();
        try_contexts();
        for (int k = 0; k < 8; k++)
            try_header();
    }
    printf("fuzz: %lu rounds\n", rounds);
    return 0;
}
