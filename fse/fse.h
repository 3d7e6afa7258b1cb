/* fse.h - finite state entropy (tANS) coding of bytes: tables, headers, payloads, contexts.
 *
 * No allocation, no state of its own, no input or output: every function maps memory to memory.
 * Compatible with the tables and two-state streams of RFC 8878, sections 4.1 and 4.2.1.2; beside
 * them a stream of its own, shorter and faster to decode.
 *
 *
 * Three surprises first
 * ---------------------
 * 1. The encoder walks backwards. It takes the last symbol first and appends bits; the decoder
 *    takes bits from the end of the stream and gets the first symbol first. So a payload has to
 *    be complete before decoding starts, and its last byte is the first one read.
 * 2. A payload does not say how long it is: neither its bytes nor its symbols. A symbol with
 *    more than half of all cells often costs no bit at all. The container keeps both numbers.
 * 3. The encoder does not start at random: each state starts at the first cell of the last symbol
 *    that it codes. One coding step is a bijection, hence a payload that is read to its last bit
 *    and leaves each state at such a cell is the only payload for its symbols. The decoder here
 *    insists on both, which finds most damage, but not all: after one wrong bit the states merge
 *    again within a few symbols, and the flips that leave the length as it was pass, from one in
 *    a hundred for steep histograms to one in three for flat ones. Keep a checksum beside it.
 *
 *
 * The arithmetic
 * --------------
 * A table has 2^L cells, L its *table log*. Its *normalised counts* c(s) say how many cells each
 * symbol owns: sum c(s) = 2^L, so c(s) / 2^L is the probability that s is coded with. A count of
 * -1 is one cell too, for a symbol rarer than 2^-L; only its place in the table differs.
 *
 * A state x is a number in [2^L, 2^(L+1)); the cell of x is x - 2^L. The *spread* gives a symbol
 * to each cell: symbols of count -1 take cells from the top downwards, in order of symbol; then
 * all others, in order of symbol, take c(s) cells each, with a stride of
 *
 *     2^(L-1) + 2^(L-3) + 3  (mod 2^L),        an odd number, so it meets every cell once,
 *
 * stepping over cells already taken from the top. Number the cells of s from the lowest upwards
 * with c(s), c(s)+1, ... 2c(s)-1: call that number y. Cell and (s, y) determine each other:
 *
 *     x = C(s, y)          encoding: the state becomes the cell that holds s with number y
 *     (s, y) = D(x)        decoding: the cell says symbol and number
 *
 * y lies in [c(s), 2c(s)) and x in [2^L, 2^(L+1)), so y is x with some low bits shifted out:
 *
 *     encode s at state x:   k = bits to shift out such that c(s) <= x >> k < 2c(s)
 *                            append the k low bits of x;  x = C(s, x >> k)
 *     decode at state x:     (s, y) = D(x);  k = L - floor(log2 y)
 *                            x = (y << k) | next k bits
 *
 * k takes two neighbouring values for each symbol, so a comparison chooses it. s costs k bits,
 * close to L - log2 c(s) on average. Low states hold low y, that is, large k.
 *
 *
 * The header (RFC 8878, 4.1.1): normalised counts, bits from the lowest of each byte upwards
 * ------------------------------------------------------------------------------------------
 *     .-------.------------.-----.------------.-----------.-----.-----------------.
 *     | L - 5 | count of 0 | ... | a count, 0 | zero runs | ... | zero bits up to |
 *     | 4 bits| 1..L+1     |     |            | 2 bits ea.|     | a whole byte    |
 *     '-------'------------'-----'------------'-----------'-----'-----------------'
 * With r cells left to describe, a count is -1..r; count + 1 goes out in a truncated binary code
 * of the M = r + 2 values 0..r+1. With 2^b the smallest power of two that is at least M, and
 * u = 2^b - M, a value v takes
 *     v < u                b-1 bits: v
 *     u <= v < 2^(b-1)     b bits:   v
 *     v >= 2^(b-1)         b bits:   v + u         (so that the low b-1 bits tell which it is)
 * After a count of 0 come 2-bit numbers of further zeros, on and on while they are 3. The header
 * ends when r = 0, so it knows its own length. (Zeros in a row read the same when written as two
 * runs; no writer does so, but it is no error.)
 *
 *
 * The two-state payload (RFC 8878, 4.2.1.2), bits from the lowest of each byte upwards
 * ------------------------------------------------------------------------------------
 *     .------------------------------------.---------.---------.---.-------.
 *     | bits of symbols n-3, n-4, ... 1, 0 | state B | state A | 1 | 0 ... |
 *     |                                    | L bits  | L bits  |   | < 8   |
 *     '------------------------------------'---------'---------'---'-------'
 *      <------------------------------- the decoder reads this way ---------
 * State A codes symbols 0, 2, 4, ..., state B codes 1, 3, 5, ...: two independent chains keep the
 * processor busy. The single 1 marks the end. With n = 1 there is no state B; with n = 0 the
 * payload is empty (both are extensions: the reference codes nothing shorter than 3 symbols).
 *
 *
 * Contexts
 * --------
 * Nothing above asks that consecutive symbols share a table, only that the states do: tables of
 * one table log have the same states. So a *bank* holds up to 64 tables of one table log, and a
 * *plane* gives the table of each symbol of a ramped payload. The decoder must know the plane
 * beforehand. A two-state payload has one table.
 *
 * Or it knows the plane as it goes: a table can also follow from symbols decoded before. Symbols
 * of planes are ranks 0, 1, 2, 3, 4, ... for 0, -1, 1, -2, 2, ..., and a neighbour counts by its
 * magnitude, at most 16, or 0 outside the plane. The *energy* of a place and its context are
 *
 *              NN                 e = 2 N + 2 W + NE + NW + NN + WW
 *         NW   N   NE
 *     WW  W    x                  e    0  1  2  3-4  5-7  8-12  13-19  20-
 *                            context   0  1  2   3    4     5     6     7
 *
 * Or the symbols W and N themselves choose: context W * alphabet + N. Outside the plane the other
 * of the two stands in, and 0 where there is none.
 *
 *
 * Tables of one byte
 * ------------------
 * A byte 32 j + i names a table over 32 ranks: a Laplace distribution, rounded to integers. Of
 * standard deviation sigma, it falls by r^2 from one integer to the next:
 *
 *     sigma = 0.1 * 80^(i / 31)       P(0) = 1 - r                          (rank 0)
 *     r = exp(-1 / (sqrt(2) sigma))   P(m) = P(-m) = r^(2m-1) (1 - r^2) / 2 (ranks 2m-1 and 2m)
 *
 * for all m up to entry j, from 0, of 1, 2, 3, 4, 6, 8, 12, 16; there is no rank 32. In
 * integers, with R = 2^16 r rounded to the nearest, and all divisions rounded down:
 *
 *     weights in 2^-32     w(0) = (2^16 - R) 2^16,  w(1) = R (2^32 - R^2) / 2^17,
 *                          w(m+1) = (w(m) R / 2^16) R / 2^16
 *     cells of m, not 0    w(m) 2^L / (sum of the weights of all ranks with cells), at least 1
 *     cells of 0           the rest; if none is left, there is no such table
 *
 * No count is -1.
 *
 *
 * The ramped payload, bits from the lowest of each byte upwards, read forwards
 * ----------------------------------------------------------------------------
 *     .-------.---.------.---------.---------.-----.---------------------------.
 *     | 0 ... | 1 | ramp | state 0 | state 1 | ... | bits of symbols 0, 1, ... |
 *     |  < 8  |   | 3    | L bits  | L bits  |     |                           |
 *     '-------'---'------'---------'---------'-----'---------------------------'
 *      ------- the decoder reads this way --------------------------------------->
 * Eight states decode two and a half times as fast as two: their table look-ups overlap. But a
 * state costs L bits, and a plane of a small picture has few to spare. So states are *forked*.
 * All symbols but the last are in four phases, u = 16 * 4^ramp:
 *
 *     symbols   0 ... n-1-4u      up to n-1-2u    up to n-1-u     up to n-1       n-1
 *     states    8                 4               2               1               0's start
 *
 * and symbol j of a phase belongs to state j mod (number of states). An encoder walks through
 * them from right to left. When it comes to a phase of twice as many states, each new state takes
 * its L bits from those written last: it starts with bits that have to be stored anyway, in place
 * of an arbitrary cell. The decoder, at the end of a phase, gives the upper half of its states
 * back as bits that come next: the lowest of them first. So eight states cost what one does.
 *
 * The bits given back must be used up within the next phase, which decides how steep a ramp can
 * be: the encoder takes the least ramp that is long enough. Ramp 7 stands for a single state
 * throughout, and is the only one with a context of decoded neighbours. Phases that n leaves
 * without symbols are left out, with their states. As before, no symbols are no bytes, the payload
 * ends with its last bit, and the last symbol with its lowest cell. A decoder takes any ramp, so
 * here it is the symbols and the ramp that have one payload only.
 */
#ifndef NIC_FSE_H
#define NIC_FSE_H

#include <stddef.h>
#include <stdint.h>

enum {
    FSE_MIN_LOG = 5,      /* smallest table log that a header can express */
    FSE_MAX_LOG = 12,     /* 4 * 12 + 7 bits fit a 64-bit accumulator: one refill per 4 symbols */
    FSE_ALPHABET = 256,   /* symbols are bytes */
    FSE_MAX_TABLES = 64,  /* tables in a bank */
    FSE_HEADER_BOUND = 512, /* >= 4 + 256 * (13 + 2) bits, plus the writer's 8-byte stores */
    FSE_MAX_LENGTH = 0x7fffffff /* symbols in a payload, and total of a histogram: with this
                                   bound every product below fits 64 bits */
};

typedef enum {
    FSE_OK = 0,
    /* The arguments are at fault. */
    FSE_BAD_SHAPE,       /* table log, alphabet or number of tables outside its range */
    FSE_BAD_COUNT,       /* a normalised count below -1 or above 2^L */
    FSE_BAD_SUM,         /* normalised counts do not add up to 2^L */
    FSE_ONE_SYMBOL,      /* one symbol owns every cell: nothing to code, store it instead */
    FSE_NO_SYMBOL,       /* an empty histogram */
    FSE_NO_FIT,          /* the histogram does not fit 2^L cells: take a larger table log */
    FSE_TOO_LONG,        /* more than FSE_MAX_LENGTH symbols */
    FSE_SMALL_BUFFER,    /* the output buffer is below its stated size */
    FSE_ABSENT_SYMBOL,   /* a symbol without cells in the table that it meets */
    FSE_ABSENT_TABLE,    /* the plane names a table that the bank lacks */
    /* The coded bytes are at fault. */
    FSE_HEADER_TRUNCATED,  /* the header runs past the end of its bytes */
    FSE_HEADER_LOG,        /* table log above the accepted maximum */
    FSE_HEADER_SYMBOL,     /* counts go on past the largest accepted symbol */
    FSE_HEADER_ONE_SYMBOL, /* one symbol owns every cell */
    FSE_HEADER_PADDING,    /* bits after the last count are not zero */
    FSE_PAYLOAD_UNCLOSED,  /* no closing bit in the last byte, or no byte at all */
    FSE_PAYLOAD_TRUNCATED, /* the payload ends before its symbols do */
    FSE_PAYLOAD_LEFTOVER,  /* the symbols end before the payload does */
    FSE_PAYLOAD_RAMP,      /* bits that a state gave back are not used up in the next phase, or
                              more than one state with a context of neighbours */
    FSE_PAYLOAD_START      /* a state ends elsewhere than an encoder starts */
} fse_result;

/* What a whole-call compression came to. */
typedef enum {
    FSE_STREAM, /* header and payload were written */
    FSE_RAW,    /* not worth coding: nothing was written, store the symbols */
    FSE_RLE     /* all symbols are equal: nothing was written, store one */
} fse_kind;

/* A sentence without full stop for each result; never NULL. */
const char *fse_message(fse_result result);

/* 1 where the coded bytes are at fault, 0 where the arguments are (or nothing is). */
int fse_is_corrupt(fse_result result);


/* ---- Normalised counts ------------------------------------------------------------------ */

/* The table log for n >= 2 symbols up to max_symbol: at most `limit`, less for short inputs (a
 * fine table does not repay its header), but no less than the alphabet needs; in [5, 12]. */
unsigned fse_table_log(unsigned limit, size_t n, unsigned max_symbol);

/* Scales counts[alphabet] to normalised counts norm[alphabet]. Equals the reference's
 * normalisation where that gives a valid table; where it does not, FSE_NO_FIT. */
fse_result fse_normalise(const uint32_t *counts, unsigned alphabet, unsigned table_log,
                         int16_t *norm);

enum { FSE_RANKS = 32, FSE_SCALES = 32 };

/* The table that one byte names, norm[FSE_RANKS]: see above. Integers only, so the same
 * everywhere. FSE_NO_FIT where so few cells leave none for the zero. */
fse_result fse_laplace(uint8_t parameter, unsigned table_log, int16_t *norm);

/* FSE_OK if norm[alphabet] is a table: counts >= -1, sum 2^table_log, at least two symbols. */
fse_result fse_check(const int16_t *norm, unsigned alphabet, unsigned table_log);


/* ---- Headers ---------------------------------------------------------------------------- */

/* Writes the header of a table to dst[FSE_HEADER_BOUND], and its length to *written. */
fse_result fse_write_header(const int16_t *norm, unsigned alphabet, unsigned table_log,
                            uint8_t *dst, size_t *written);

/* Reads a header from src[size]; what follows it is not looked at. Symbols beyond *alphabet and
 * table logs beyond *table_log on entry are refused. Fills norm[*alphabet] as it was on entry,
 * then sets *alphabet to the largest symbol + 1, *table_log, and *used to the bytes read. */
fse_result fse_read_header(const uint8_t *src, size_t size, int16_t *norm, unsigned *alphabet,
                           unsigned *table_log, size_t *used);


/* ---- Coding tables ---------------------------------------------------------------------- */

/* Tables of a bank lie one after the other, without gaps. */
typedef struct {
    unsigned table_log; /* 5..12, common to all tables */
    unsigned alphabet;  /* 1..256, columns of each table */
    unsigned tables;    /* 1..64 */
} fse_shape;

/* How one symbol moves a state x in [2^L, 2^(L+1)): k = bits - (x < least), and the new state is
 * next[slot + (x >> k)]. */
typedef struct {
    uint16_t least;  /* c(s) << bits: states from here on shift out all `bits` */
    int16_t slot;    /* cells of smaller symbols - c(s), as x >> k starts at c(s) */
    uint8_t bits;    /* the larger of the two numbers of bits */
    uint8_t present; /* 0 for a symbol without cells */
} fse_move;

/* What one cell decodes to: a symbol, and the next cell as next + (the next `bits` bits). */
typedef struct {
    uint16_t next;
    uint8_t symbol;
    uint8_t bits;
} fse_cell;

/* The caller sets the shape and owns the arrays; a built bank is read only, and so may be
 * shared by threads. */
typedef struct {
    fse_shape shape;
    uint16_t *next;  /* [tables << table_log] */
    fse_move *moves; /* [tables * alphabet] */
} fse_encoder;

typedef struct {
    fse_shape shape;
    fse_cell *cells; /* [tables << table_log] */
    uint16_t *first; /* [tables * alphabet]: each symbol's lowest cell */
} fse_decoder;

/* Fill the arrays from norm[tables * alphabet]; every table is checked first (fse_check). */
fse_result fse_build_encoder(const fse_encoder *encoder, const int16_t *norm);
fse_result fse_build_decoder(const fse_decoder *decoder, const int16_t *norm);


/* ---- Two-state payloads ----------------------------------------------------------------- */

/* Bytes that fse_encode needs at dst for n symbols: L bits for each at worst, the closing bit,
 * and the writer's 8-byte stores. */
size_t fse_payload_bound(size_t n, unsigned table_log);

/* Codes symbols[n] with the first table to dst[capacity], capacity >= fse_payload_bound(n,
 * table_log), and the length of the payload to *written. After an error the contents of dst are
 * unspecified. */
fse_result fse_encode(const fse_encoder *encoder, const uint8_t *symbols, size_t n, uint8_t *dst,
                      size_t capacity, size_t *written);

/* Decodes exactly n symbols from all of src[size] to symbols[n]; the inverse of fse_encode: it
 * accepts nothing that fse_encode would not have written for the same symbols. After an error
 * the contents of symbols are unspecified. */
fse_result fse_decode(const fse_decoder *decoder, const uint8_t *src, size_t size,
                      size_t n, uint8_t *symbols);

/* ---- Ramped payloads -------------------------------------------------------------------- */

/* Which machine code to run; the bytes are the same. */
typedef enum {
    FSE_FASTEST, /* what suits the processor, found out at run time */
    FSE_PORTABLE /* what runs everywhere */
} fse_code;

enum {
    FSE_RAMP_STATES = 8,
    FSE_RAMP_UNIT = 16, /* symbols that one state codes at ramp 0; a ramp up, four times those */
    FSE_RAMP_BITS = 3,
    FSE_RAMP_SINGLE = 7 /* the ramp of one state throughout */
};

/* Bytes that fse_encode_ramp needs at dst. */
size_t fse_ramp_bound(size_t n, unsigned table_log);

/* Codes symbols[n] to a ramped payload, as fse_encode does. plane[n] gives the table of each
 * symbol; NULL is table 0 throughout. The ramp is the least that fits, from `ramp` on. */
fse_result fse_encode_ramp(const fse_encoder *encoder, const uint8_t *symbols,
                           const uint8_t *plane, size_t n, unsigned ramp, fse_code code,
                           uint8_t *dst, size_t capacity, size_t *written);

/* Decodes a ramped payload of any ramp, as fse_decode does. */
fse_result fse_decode_ramp(const fse_decoder *decoder, const uint8_t *src, size_t size,
                           const uint8_t *plane, size_t n, fse_code code, uint8_t *symbols);


/* ---- Planes of a picture at once -------------------------------------------------------- */

/* What chooses a symbol's table, beside its class. */
typedef enum {
    FSE_BY_CLASS,  /* nothing else */
    FSE_BY_ENERGY, /* the decoded neighbours' magnitudes: see above */
    FSE_BY_PAIR    /* the west and north symbols themselves */
} fse_context;

enum { FSE_ENERGIES = 8 };

/* How many contexts that are; 0 for a value that is none of them. */
size_t fse_contexts(fse_context context, unsigned alphabet);

/* What all planes of a call share. */
typedef struct {
    size_t width, height;
    const uint8_t *class_of; /* [height * width], below `classes`; NULL: all are of class 0 */
    size_t classes;          /* 1..256 */
    fse_context context;
} fse_layout;

/* Bytes of scratch memory that the functions below need. */
size_t fse_planes_scratch(size_t width, size_t height);

/* Codes planes[height * width], one after the other in `symbols`, to ramped payloads, one after
 * the other at dst[capacity], capacity >= planes * fse_ramp_bound(n, L), and their lengths to
 * sizes[planes]. tables[planes][classes][contexts] gives the table of each (class, context) of
 * each plane. Payloads with a context of neighbours have a single state. After an error, *at is
 * the plane that it was met in, or `planes` where no plane is at fault but the layout. */
fse_result fse_encode_planes(const fse_encoder *encoder, const fse_layout *layout,
                             const uint8_t *tables, size_t planes, const uint8_t *symbols,
                             fse_code code, uint8_t *scratch, uint8_t *dst, size_t capacity,
                             size_t *sizes, size_t *at);

/* The inverse; with a context of neighbours, four planes are decoded side by side. */
fse_result fse_decode_planes(const fse_decoder *decoder, const fse_layout *layout,
                             const uint8_t *tables, size_t planes, const uint8_t *src,
                             const size_t *sizes, fse_code code, uint8_t *scratch,
                             uint8_t *symbols, size_t *at);

/* How often each symbol occurs in each plane of n: counts[planes][alphabet]. */
fse_result fse_histograms(const uint8_t *symbols, size_t n, size_t planes, unsigned alphabet,
                          uint32_t *counts);

/* The context by energy of every symbol of a plane, to contexts[height * width]. */
void fse_energy_contexts(const uint8_t *symbols, size_t width, size_t height, uint8_t *contexts);

/* What each class would cost each block x block symbols of all planes together, for encoders to
 * choose by: costs[rows * columns][classes], in the unit of bits[tables][alphabet], the cost of
 * each symbol in each table, modulo 2^32. Takes FSE_BY_CLASS and FSE_BY_ENERGY; layout->class_of
 * is not looked at. steps[contexts * alphabet * classes] is scratch memory too. */
fse_result fse_class_costs(const fse_layout *layout, fse_shape shape, const uint8_t *tables,
                           size_t planes, const uint32_t *bits, const uint8_t *symbols,
                           size_t block, uint8_t *scratch, uint32_t *steps, uint32_t *costs);

/* Integers of scratch memory that the next function needs. */
size_t fse_choose_scratch(size_t classes, size_t contexts);

/* Chooses a class for each of rows x columns blocks: the one of least costs[block][classes] and of
 * what naming it takes, naming[contexts][classes] by the context pairs[classes][classes] of the
 * classes to the west and to the north (the other of the two where one is outside; 0 for both).
 * First each block by itself, its neighbours unknown; then once more, in order, with those that its
 * neighbours have and with what naming them takes. Sums are modulo 2^32. */
fse_result fse_choose_classes(const uint32_t *costs, size_t rows, size_t columns, size_t classes,
                              const uint32_t *naming, const uint8_t *pairs, size_t contexts,
                              uint32_t *scratch, uint8_t *chosen);


/* ---- Whole calls ------------------------------------------------------------------------ */

/* Bytes that fse_compress needs at dst. */
size_t fse_compress_bound(size_t n);

/* Header and payload in one, byte for byte what the reference's FSE_compress2 gives for
 * max_symbol 1..255 and table_log 5..12. dst[capacity], capacity >= fse_compress_bound(n);
 * *written is 0 unless *kind is FSE_STREAM. Where no table fits, which the reference reports as
 * an error or overlooks, *kind is FSE_RAW. Uses 24 KiB of stack. */
fse_result fse_compress(const uint8_t *symbols, size_t n, unsigned max_symbol, unsigned table_log,
                        uint8_t *dst, size_t capacity, size_t *written, fse_kind *kind);

/* The inverse for FSE_STREAM: exactly n symbols from all of src[size]. Uses 24 KiB of stack. */
fse_result fse_decompress(const uint8_t *src, size_t size, unsigned max_symbol,
                          unsigned max_table_log, uint8_t *symbols, size_t n);

#endif
