/* fse_ramp.c - ramped payloads: up to eight states at the price of one; see fse.h. */
#include <string.h>

#include "fse.h"
#include "internal.h"

enum { STATES = FSE_RAMP_STATES };

/* Where each number of states begins: one state codes [start[0], n), two [start[1], start[0]),
 * four [start[2], start[1]), eight [0, start[2]). All equal 0 once the symbols are used up. */
typedef struct {
    size_t start[4];
} phases;

/* n: symbols that are coded, that is, all but the last. */
static phases phases_of(size_t n, unsigned ramp)
{
    phases p = {{0, 0, 0, 0}};
    if (ramp >= FSE_RAMP_SINGLE)
        return p;
    size_t unit = (size_t)FSE_RAMP_UNIT << 2 * ramp;
    for (unsigned i = 0; i < 3 && n > 0; i++) {
        size_t length = i < 2 ? unit : 2 * unit;
        n -= length < n ? length : n;
        p.start[i] = n;
    }
    return p;
}

/* ---- Encoding: backwards, both in symbols and in bytes ----------------------------------- */

/* The bytes from `out` on are final; the low `filled` bits of `bits` go right before them. */
typedef struct {
    uint8_t *out;
    uint64_t bits;
    unsigned filled;
} front_writer;

static inline void push(front_writer *w, uint32_t value, unsigned count)
{
    w->bits = w->bits << count | value;
    w->filled += count;
}

/* Leaves at most 7 bits unwritten: 56 fit in before the next flush. With none to write, what
 * lands in the 8 bytes is overwritten by the next. */
static inline void flush(front_writer *w)
{
    store64(w->out - 8, w->bits << (-w->filled & 63));
    w->out -= w->filled >> 3;
    w->filled &= 7;
}

/* Takes back the `count` bits pushed last, of at least as many; after a flush. */
static uint32_t pop(front_writer *w, unsigned count)
{
    uint64_t bits = w->bits & ((1u << w->filled) - 1);
    for (; w->filled < count; w->filled += 8)
        bits |= (uint64_t)*w->out++ << w->filled;
    w->filled -= count;
    w->bits = bits >> count;
    return (uint32_t)bits & ((1u << count) - 1);
}

typedef struct {
    fse_encoder bank;
    const uint8_t *symbols;
    const uint8_t *plane;
} source;

/* Takes state x through one symbol. Returns 0 if it has no cell. */
static inline unsigned take(front_writer *w, const source *from, const uint8_t *plane, size_t i,
                            uint32_t *x)
{
    const fse_shape *shape = &from->bank.shape;
    size_t table = plane ? plane[i] : 0;
    fse_move move = from->bank.moves[table * shape->alphabet + from->symbols[i]];
    unsigned k = move.bits - (unsigned)(*x < move.least);
    push(w, *x & ((1u << k) - 1), k);
    int32_t slot = move.slot + (int32_t)(*x >> k);
    *x = from->bank.next[(table << shape->table_log) + (size_t)slot];
    return move.present;
}

/* Symbols [first, last) of a phase with eight states, from the last one down. */
SPECIALISED unsigned take_eights(front_writer *out, source from, const uint8_t *plane,
                                 size_t first, size_t last, uint32_t x[STATES])
{
    front_writer w = *out;
    unsigned sound = 1;
    uint32_t a = x[0], b = x[1], c = x[2], d = x[3], e = x[4], f = x[5], g = x[6], h = x[7];
    for (size_t i = last; i > first; flush(&w)) {
        i -= 8;
        sound &= take(&w, &from, plane, i + 7, &h);
        sound &= take(&w, &from, plane, i + 6, &g);
        sound &= take(&w, &from, plane, i + 5, &f);
        sound &= take(&w, &from, plane, i + 4, &e);
        flush(&w);
        sound &= take(&w, &from, plane, i + 3, &d);
        sound &= take(&w, &from, plane, i + 2, &c);
        sound &= take(&w, &from, plane, i + 1, &b);
        sound &= take(&w, &from, plane, i, &a);
    }
    x[0] = a, x[1] = b, x[2] = c, x[3] = d, x[4] = e, x[5] = f, x[6] = g, x[7] = h;
    *out = w;
    return sound;
}

/* Symbols [first, last) with `states` states. */
SPECIALISED unsigned take_phase(front_writer *w, const source *from, size_t first, size_t last,
                                unsigned states, uint32_t x[STATES])
{
    size_t whole = states == STATES ? (last - first) & ~(size_t)(STATES - 1) : 0;
    unsigned sound = 1;
    for (size_t i = last; i > first + whole; flush(w)) {
        i--;
        sound &= take(w, from, from->plane, i, &x[(i - first) & (states - 1)]);
    }
    if (!whole)
        return sound;
    return sound
        & (from->plane ? take_eights(w, *from, from->plane, first, first + whole, x)
                       : take_eights(w, *from, NULL, first, first + whole, x));
}

/* How a try at one ramp ends: FSE_OK, FSE_ABSENT_SYMBOL, or FSE_NO_FIT for too few bits. */
SPECIALISED fse_result encode_ramp(source from, size_t n, unsigned ramp, front_writer *w)
{
    unsigned log = from.bank.shape.table_log, states = 1;
    size_t last = n - 1;
    phases p = phases_of(last, ramp);
    uint32_t x[STATES];
    fse_move move = from.bank.moves[(from.plane ? from.plane[last] : 0) * from.bank.shape.alphabet
                                    + from.symbols[last]];
    if (!move.present)
        return FSE_ABSENT_SYMBOL;
    /* x = C(s, c(s)): the first cell of the last symbol. */
    x[0] = from.bank.next[((size_t)(from.plane ? from.plane[last] : 0) << log)
                          + (size_t)(move.slot + (move.least >> move.bits))];
    for (unsigned i = 0;; i++) {
        const uint8_t *end = w->out;
        unsigned before = w->filled;
        if (!take_phase(w, &from, p.start[i], last, states, x))
            return FSE_ABSENT_SYMBOL;
        last = p.start[i];
        if (last == 0)
            break;
        if (8 * (size_t)(end - w->out) + w->filled < before + states * log)
            return FSE_NO_FIT;
        for (unsigned s = states; s < 2 * states; s++)
            x[s] = (1u << log) + pop(w, log);
        states *= 2;
    }
    while (states-- > 0) {
        push(w, x[states] - (1u << log), log);
        flush(w);
    }
    /* The ramp, the closing 1, and zeros below it to a whole byte. */
    push(w, ramp << 1 | 1, FSE_RAMP_BITS + 1);
    push(w, 0, -w->filled & 7);
    flush(w);
    return FSE_OK;
}

typedef struct {
    fse_encoder bank;
    const uint8_t *symbols;
    const uint8_t *plane;
    size_t n;
    unsigned ramp; /* the least to try */
} encoding;

SPECIALISED fse_result encode_any(const encoding *job, uint8_t *dst, size_t capacity,
                                  size_t *written)
{
    source from = {job->bank, job->symbols, job->plane};
    for (unsigned ramp = job->ramp; ramp <= FSE_RAMP_SINGLE; ramp++) {
        front_writer w = {dst + capacity, 0, 0};
        fse_result result = encode_ramp(from, job->n, ramp, &w);
        if (result == FSE_NO_FIT)
            continue;
        if (result != FSE_OK)
            return result;
        *written = (size_t)(dst + capacity - w.out);
        memmove(dst, w.out, *written);
        return FSE_OK;
    }
    return FSE_NO_FIT; /* not reached: a single state is never forked */
}

/* ---- Decoding: forwards ------------------------------------------------------------------ */

typedef struct {
    fse_decoder bank;
    const uint8_t *plane;
    uint8_t *symbols;
} target;

/* One symbol from state x; *bits loses what it takes. Returns how many those are. */
static inline unsigned give(const target *to, const uint8_t *plane, size_t i, uint32_t *x,
                            uint64_t *bits)
{
    size_t base = plane ? (size_t)plane[i] << to->bank.shape.table_log : 0;
    fse_cell cell = to->bank.cells[base + *x];
    unsigned k = cell.bits;
    *x = cell.next + ((uint32_t)*bits & ((1u << k) - 1));
    *bits >>= k;
    to->symbols[i] = cell.symbol;
    return k;
}

/* Symbols [*at, last) as long as whole refills are left; eight states, two refills. */
SPECIALISED size_t give_eights(front_reader *r, target to, const uint8_t *plane, size_t last,
                               uint32_t x[STATES])
{
    uint32_t a = x[0], b = x[1], c = x[2], d = x[3], e = x[4], f = x[5], g = x[6], h = x[7];
    const uint8_t *src = r->src;
    uint64_t at = r->at, fine = r->size < 16 ? 0 : 8 * (uint64_t)(r->size - 16);
    size_t i = 0;
    for (; i + 8 <= last && at < fine; i += 8) {
        uint64_t bits = load64(src + (at >> 3)) >> (at & 7);
        at += give(&to, plane, i, &a, &bits);
        at += give(&to, plane, i + 1, &b, &bits);
        at += give(&to, plane, i + 2, &c, &bits);
        at += give(&to, plane, i + 3, &d, &bits);
        bits = load64(src + (at >> 3)) >> (at & 7);
        at += give(&to, plane, i + 4, &e, &bits);
        at += give(&to, plane, i + 5, &f, &bits);
        at += give(&to, plane, i + 6, &g, &bits);
        at += give(&to, plane, i + 7, &h, &bits);
    }
    x[0] = a, x[1] = b, x[2] = c, x[3] = d, x[4] = e, x[5] = f, x[6] = g, x[7] = h;
    r->at = at;
    return i;
}

/* Symbols [first, last) with `states` states. */
SPECIALISED void give_phase(front_reader *r, const target *to, size_t first, size_t last,
                            unsigned states, uint32_t x[STATES])
{
    size_t i = first;
    if (states == STATES) /* the first phase, where nothing was given back yet */
        i = to->plane ? give_eights(r, *to, to->plane, last, x)
                      : give_eights(r, *to, NULL, last, x);
    for (; i < last; i++) {
        uint32_t *state = &x[(i - first) & (states - 1)];
        size_t base = to->plane ? (size_t)to->plane[i] << to->bank.shape.table_log : 0;
        fse_cell cell = to->bank.cells[base + *state];
        *state = cell.next + take_bits(r, cell.bits);
        to->symbols[i] = cell.symbol;
    }
}

SPECIALISED fse_result decode_any(const fse_decoder *bank, const uint8_t *src, size_t size,
                                  const uint8_t *plane, size_t n, uint8_t *symbols)
{
    unsigned ramp, log = bank->shape.table_log, phase = 0, states = 1;
    front_reader r;
    fse_result result = open_front(&r, src, size, &ramp);
    if (result != FSE_OK)
        return result;
    phases p = phases_of(n - 1, ramp);
    while (p.start[phase] > 0)
        phase++, states *= 2;
    uint32_t x[STATES] = {0};
    for (unsigned s = 0; s < states; s++)
        x[s] = take_bits(&r, log);
    target to = {*bank, plane, symbols};
    for (size_t first = 0;; phase--) {
        size_t last = phase ? p.start[phase - 1] : n - 1;
        give_phase(&r, &to, first, last, states, x);
        if (r.at > 8 * (uint64_t)size)
            return FSE_PAYLOAD_TRUNCATED;
        if (r.held)
            return FSE_PAYLOAD_RAMP;
        if (states == 1)
            break;
        for (; states > 1u << (phase - 1); r.held += log)
            r.back = r.back << log | x[--states];
        first = last;
    }
    if (r.at < 8 * (uint64_t)size)
        return FSE_PAYLOAD_LEFTOVER;
    fse_cell cell = bank->cells[((size_t)(plane ? plane[n - 1] : 0) << log) + x[0]];
    symbols[n - 1] = cell.symbol;
    size_t row = (plane ? plane[n - 1] : 0) * (size_t)bank->shape.alphabet;
    return bank->first[row + cell.symbol] == x[0] ? FSE_OK : FSE_PAYLOAD_START;
}

/* ---- One text, two machine codes --------------------------------------------------------- */

static fse_result encode_plain(const encoding *job, uint8_t *dst, size_t capacity, size_t *written)
{
    return encode_any(job, dst, capacity, written);
}

static fse_result decode_plain(const fse_decoder *bank, const uint8_t *src, size_t size,
                               const uint8_t *plane, size_t n, uint8_t *symbols)
{
    return decode_any(bank, src, size, plane, n, symbols);
}

#ifdef FSE_HAS_BMI2
ON_BMI2 static fse_result encode_bmi2(const encoding *job, uint8_t *dst, size_t capacity,
                                      size_t *written)
{
    return encode_any(job, dst, capacity, written);
}

ON_BMI2 static fse_result decode_bmi2(const fse_decoder *bank, const uint8_t *src, size_t size,
                                      const uint8_t *plane, size_t n, uint8_t *symbols)
{
    return decode_any(bank, src, size, plane, n, symbols);
}
#else
#define encode_bmi2 encode_plain
#define decode_bmi2 decode_plain
#endif

size_t fse_ramp_bound(size_t n, unsigned table_log)
{
    /* The last symbol costs nothing of its own, but up to eight states are written. */
    return fse_payload_bound(n, table_log) + STATES * FSE_MAX_LOG / 8 + 8;
}

fse_result fse_encode_ramp(const fse_encoder *encoder, const uint8_t *symbols,
                           const uint8_t *plane, size_t n, unsigned ramp, fse_code code,
                           uint8_t *dst, size_t capacity, size_t *written)
{
    *written = 0;
    if (n > FSE_MAX_LENGTH)
        return FSE_TOO_LONG;
    if (capacity < fse_ramp_bound(n, encoder->shape.table_log))
        return FSE_SMALL_BUFFER;
    if (n == 0)
        return FSE_OK;
    if (largest(symbols, n) >= encoder->shape.alphabet)
        return FSE_ABSENT_SYMBOL;
    if (plane && largest(plane, n) >= encoder->shape.tables)
        return FSE_ABSENT_TABLE;
    encoding job = {*encoder, symbols, plane, n, ramp < FSE_RAMP_SINGLE ? ramp : FSE_RAMP_SINGLE};
    return code == FSE_FASTEST && has_bmi2() ? encode_bmi2(&job, dst, capacity, written)
                                             : encode_plain(&job, dst, capacity, written);
}

fse_result fse_decode_ramp(const fse_decoder *decoder, const uint8_t *src, size_t size,
                           const uint8_t *plane, size_t n, fse_code code, uint8_t *symbols)
{
    if (n > FSE_MAX_LENGTH)
        return FSE_TOO_LONG;
    if (n == 0)
        return size == 0 ? FSE_OK : FSE_PAYLOAD_LEFTOVER;
    if (plane && largest(plane, n) >= decoder->shape.tables)
        return FSE_ABSENT_TABLE;
    return code == FSE_FASTEST && has_bmi2() ? decode_bmi2(decoder, src, size, plane, n, symbols)
                                             : decode_plain(decoder, src, size, plane, n, symbols);
}
