/* fuzz_banks.c - random tables, headers, and whole calls. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Random counts that add up. */
static void draw_counts(int16_t *norm, unsigned alphabet, unsigned table_log, int full)
{
    int left = 1 << table_log;
    for (unsigned s = 0; s < alphabet; s++, left -= full)
        norm[s] = (int16_t)full;
    while (left > 0) {
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

bank open_bank(fse_shape shape, int full, fse_result *built)
{
    size_t cells = (size_t)shape.tables << shape.table_log;
    size_t columns = (size_t)shape.tables * shape.alphabet;
    bank b = {{shape, block(cells * sizeof(uint16_t)), block(columns * sizeof(fse_move))},
              {shape, block(cells * sizeof(fse_cell)), block(columns * sizeof(uint16_t))},
              block(columns * sizeof(int16_t))};
    for (size_t t = 0; t < shape.tables; t++)
        draw_counts(b.norm + t * shape.alphabet, shape.alphabet, shape.table_log, full);
    *built = fse_build_encoder(&b.encoder, b.norm);
    demand(*built == fse_build_decoder(&b.decoder, b.norm), "encoder and decoder disagree");
    demand(*built == FSE_OK || (!full && *built == FSE_ONE_SYMBOL), "valid tables refused");
    return b;
}

void close_bank(bank *b)
{
    free(b->encoder.next);
    free(b->encoder.moves);
    free(b->decoder.cells);
    free(b->decoder.first);
    free(b->norm);
}

uint8_t draw_symbol(const bank *b, unsigned table)
{
    fse_shape shape = b->decoder.shape;
    return b->decoder.cells[((size_t)table << shape.table_log) + below(1u << shape.table_log)]
        .symbol;
}

/* ---- Headers ----------------------------------------------------------------------------- */

void check_header(const int16_t *norm, unsigned alphabet, unsigned log, size_t used)
{
    size_t written, used_again;
    int16_t *again = block(FSE_ALPHABET * sizeof *again);
    uint8_t *dst = block(FSE_HEADER_BOUND);
    unsigned alphabet_again = FSE_ALPHABET, log_again = FSE_MAX_LOG;
    while (norm[alphabet - 1] == 0)
        alphabet--;
    demand(fse_write_header(norm, alphabet, log, dst, &written) == FSE_OK, "write header");
    demand(written <= used, "header longer than what it was read from");
    demand(fse_read_header(dst, written, again, &alphabet_again, &log_again, &used_again)
               == FSE_OK, "read header again");
    demand(used_again == written && alphabet_again == alphabet && log_again == log
               && memcmp(norm, again, alphabet * sizeof *norm) == 0, "header round trip");
    free(dst);
    free(again);
}

/* Random bytes as well as damaged headers. */
static bytes draw_header(void)
{
    if (below(2)) {
        bytes random = {NULL, below(40)};
        random.at = block(random.size);
        for (size_t i = 0; i < random.size; i++)
            random.at[i] = (uint8_t)(below(4) ? draw() : below(2) * 0xff);
        return random;
    }
    fse_shape shape = {FSE_MIN_LOG + (unsigned)below(8), 2 + (unsigned)below(255), 1};
    size_t size = 0;
    int16_t *norm = block(shape.alphabet * sizeof *norm);
    uint8_t *dst = block(FSE_HEADER_BOUND);
    draw_counts(norm, shape.alphabet, shape.table_log, 0);
    fse_result result = fse_write_header(norm, shape.alphabet, shape.table_log, dst, &size);
    demand(result == FSE_OK || result == FSE_ONE_SYMBOL, "write drawn header");
    bytes header = {copy(dst, size), size};
    free(norm);
    free(dst);
    return header;
}

void fuzz_header(void)
{
    bytes header = draw_header();
    for (unsigned i = mutants(); i > 0; i--) {
        bytes damaged = mutant(header.at, header.size);
        unsigned alphabet = 1 + (unsigned)below(256), log = FSE_MIN_LOG + (unsigned)below(8);
        int16_t *norm = block(alphabet * sizeof *norm);
        size_t used;
        if (settle(fse_read_header(damaged.at, damaged.size, norm, &alphabet, &log, &used))) {
            demand(used <= damaged.size, "header beyond its bytes");
            check_header(norm, alphabet, log, used);
        }
        free(norm);
        free(damaged.at);
    }
    free(header.at);
}

/* ---- Whole calls ------------------------------------------------------------------------- */

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

void fuzz_stream(void)
{
    size_t n = below(below(2) ? 40 : 1500), capacity = fse_compress_bound(n), size;
    unsigned top = 1 + (unsigned)below(255), log = FSE_MIN_LOG + (unsigned)below(8);
    uint8_t *symbols = block(n), *back = block(n), *dst = block(capacity);
    fse_kind kind;
    fill(symbols, n, top, 1 + below(40));
    demand(fse_compress(symbols, n, top, log, dst, capacity, &size, &kind) == FSE_OK, "compress");
    if (kind == FSE_STREAM) {
        uint8_t *stream = copy(dst, size);
        demand(fse_decompress(stream, size, top, FSE_MAX_LOG, back, n) == FSE_OK, "decompress");
        demand(memcmp(symbols, back, n) == 0, "round trip");
        free(stream);
    }
    for (unsigned i = mutants(); i > 0; i--) { /* of no byte, where there is no stream */
        bytes damaged = mutant(dst, size);
        settle(fse_decompress(damaged.at, damaged.size, top, FSE_MAX_LOG, back, n));
        free(damaged.at);
    }
    free(symbols);
    free(back);
    free(dst);
}
