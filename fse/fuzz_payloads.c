/* fuzz_payloads.c - two-state and ramped payloads. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

/* Symbols to code with a bank, and the table of each. */
typedef struct {
    bank b;
    size_t n;
    uint8_t *symbols;
    uint8_t *plane;
    int wild; /* some symbols may have no cell */
    int codes; /* the tables are valid */
} text;

static text open_text(unsigned tables)
{
    fse_shape shape = {FSE_MIN_LOG + (unsigned)below(8), 2 + (unsigned)below(255),
                       tables};
    fse_result built;
    bank b = open_bank(shape, 0, &built);
    size_t n = below(below(2) ? 70 : 1500);
    text t = {b, n, block(n), block(n), below(16) == 0, built == FSE_OK};
    for (size_t i = 0; i < n && t.codes; i++) {
        t.plane[i] = (uint8_t)below(shape.tables);
        t.symbols[i] = t.wild ? (uint8_t)draw() : draw_symbol(&b, t.plane[i]);
    }
    return t;
}

static uint8_t *zeros_of(size_t n)
{
    uint8_t *zeros = block(n);
    if (n)
        memset(zeros, 0, n);
    return zeros;
}

static void close_text(text *t)
{
    free(t->symbols);
    free(t->plane);
    close_bank(&t->b);
}

static void check_encoded(const text *t, fse_result result)
{
    demand(result == FSE_OK || (t->wild && result == FSE_ABSENT_SYMBOL), "encode");
}

/* ---- Two states -------------------------------------------------------------------------- */

static bytes encode_two(const text *t, const uint8_t *symbols, fse_result *result)
{
    size_t capacity = fse_payload_bound(t->n, t->b.encoder.shape.table_log), size;
    uint8_t *dst = block(capacity);
    *result = fse_encode(&t->b.encoder, symbols, t->n, dst, capacity, &size);
    bytes payload = {copy(dst, size), size};
    free(dst);
    return payload;
}

/* Whatever decodes has to encode to the same bytes. */
static void damage_two(const text *t, bytes payload)
{
    bytes damaged = mutant(payload.at, payload.size);
    uint8_t *symbols = block(t->n);
    if (settle(fse_decode(&t->b.decoder, damaged.at, damaged.size, t->n, symbols))) {
        fse_result result;
        bytes again = encode_two(t, symbols, &result);
        demand(result == FSE_OK && again.size == damaged.size
                   && (again.size == 0 || memcmp(again.at, damaged.at, again.size) == 0),
               "two states: not canonical");
        free(again.at);
    }
    free(damaged.at);
    free(symbols);
}

void fuzz_two_states(void)
{
    text t = open_text(1);
    if (t.codes) {
        fse_result result;
        bytes payload = encode_two(&t, t.symbols, &result);
        check_encoded(&t, result);
        if (result == FSE_OK) {
            uint8_t *back = block(t.n);
            demand(fse_decode(&t.b.decoder, payload.at, payload.size, t.n, back) == FSE_OK
                       && (t.n == 0 || memcmp(back, t.symbols, t.n) == 0), "two states: decode");
            free(back);
        }
        for (unsigned i = mutants(); i > 0; i--)
            damage_two(&t, payload);
        free(payload.at);
    }
    close_text(&t);
}

/* ---- Ramped ------------------------------------------------------------------------------ */

static bytes encode_ramp(const text *t, const uint8_t *symbols, const uint8_t *plane,
                         unsigned ramp, fse_code code, fse_result *result)
{
    size_t capacity = fse_ramp_bound(t->n, t->b.encoder.shape.table_log), size;
    uint8_t *dst = block(capacity);
    *result = fse_encode_ramp(&t->b.encoder, symbols, plane, t->n, ramp, code, dst, capacity,
                              &size);
    bytes payload = {copy(dst, size), size};
    free(dst);
    return payload;
}

static int same(bytes a, bytes b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

/* The three bits after the closing one. */
static unsigned ramp_of(bytes payload)
{
    unsigned at = 0, word = payload.at[0] | (payload.size > 1 ? (unsigned)payload.at[1] << 8 : 0);
    while (!(word >> at & 1))
        at++;
    return word >> (at + 1) & 7;
}

/* Both machine codes agree; whatever decodes encodes to the same bytes, of the same ramp. */
static void damage_ramp(const text *t, bytes payload, const uint8_t *plane)
{
    bytes damaged = mutant(payload.at, payload.size);
    uint8_t *symbols = block(t->n), *other = block(t->n);
    fse_result result = fse_decode_ramp(&t->b.decoder, damaged.at, damaged.size, plane, t->n,
                                        FSE_FASTEST, symbols);
    demand(result == fse_decode_ramp(&t->b.decoder, damaged.at, damaged.size, plane, t->n,
                                     FSE_PORTABLE, other), "ramped: two results");
    if (settle(result) && t->n > 0) {
        demand(memcmp(symbols, other, t->n) == 0, "ramped: two texts");
        bytes again = encode_ramp(t, symbols, plane, ramp_of(damaged), FSE_FASTEST, &result);
        demand(result == FSE_OK && same(again, damaged), "ramped: not canonical");
        free(again.at);
    }
    free(damaged.at);
    free(symbols);
    free(other);
}

static void try_ramp(const text *t)
{
    const uint8_t *plane = t->b.encoder.shape.tables == 1 && below(2) ? NULL : t->plane;
    unsigned ramp = below(2) ? 0 : (unsigned)below(9);
    fse_result result, other;
    bytes payload = encode_ramp(t, t->symbols, plane, ramp, FSE_FASTEST, &result);
    bytes portable = encode_ramp(t, t->symbols, plane, ramp, FSE_PORTABLE, &other);
    check_encoded(t, result);
    demand(result == other && same(payload, portable), "ramped: two payloads");
    if (result == FSE_OK) {
        uint8_t *back = block(t->n);
        demand(fse_decode_ramp(&t->b.decoder, payload.at, payload.size, plane, t->n, FSE_FASTEST,
                               back) == FSE_OK
                   && (t->n == 0 || memcmp(back, t->symbols, t->n) == 0), "ramped: decode");
        free(back);
    }
    for (unsigned i = mutants(); i > 0; i--)
        damage_ramp(t, payload, plane);
    free(payload.at);
    free(portable.at);
}

void fuzz_ramp(void)
{
    text t = open_text(1 + (unsigned)below(below(16) ? 4 : FSE_MAX_TABLES));
    if (t.codes)
        try_ramp(&t);
    close_text(&t);
}

/* ---- Ramped, with a table of one byte ---------------------------------------------------- */

void fuzz_laplace(void)
{
    fse_shape shape = {FSE_MIN_LOG + (unsigned)below(8), FSE_RANKS, 1};
    fse_result built;
    size_t n = below(below(2) ? 70 : 1500);
    text t = {open_bank(shape, 1, &built), n, block(n), zeros_of(n), 0, 1};
    fse_result result = fse_laplace((uint8_t)draw(), shape.table_log, t.b.norm);
    if (result == FSE_OK) {
        demand(fse_build_decoder(&t.b.decoder, t.b.norm) == FSE_OK
                   && fse_build_encoder(&t.b.encoder, t.b.norm) == FSE_OK, "parameter: no table");
        check_header(t.b.norm, FSE_RANKS, shape.table_log, FSE_HEADER_BOUND);
        for (size_t i = 0; i < n; i++)
            t.symbols[i] = draw_symbol(&t.b, 0);
        try_ramp(&t);
    }
    demand(result == FSE_OK || (shape.table_log == FSE_MIN_LOG && result == FSE_NO_FIT),
           "parameter refused");
    close_text(&t);
}
