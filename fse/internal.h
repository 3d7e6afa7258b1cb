/* internal.h - what the coder's files share: limits, and bit fields in little-endian bytes. */
#ifndef NIC_FSE_INTERNAL_H
#define NIC_FSE_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "fse.h"

/* For loops that exist once in the text, but once with a plane and once without in the code. */
#if defined(__GNUC__)
#define SPECIALISED static inline __attribute__((always_inline))
#else
#define SPECIALISED static inline
#endif

static inline int shape_is_valid(unsigned alphabet, unsigned table_log, unsigned tables)
{
    return alphabet >= 1 && alphabet <= FSE_ALPHABET && table_log >= FSE_MIN_LOG
        && table_log <= FSE_MAX_LOG && tables >= 1 && tables <= FSE_MAX_TABLES;
}

/* floor(log2 x) for x >= 1. */
static inline unsigned floor_log2(uint32_t x)
{
#if defined(__GNUC__)
    return 31u - (unsigned)__builtin_clz(x);
#else
    unsigned log = 0;
    while (x >>= 1)
        log++;
    return log;
#endif
}

/* Byte by byte, so that neither alignment nor byte order matters; compilers make one load or
 * store of it. */
static inline uint64_t load64(const uint8_t *p)
{
    uint64_t low = (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16
                 | (uint64_t)p[3] << 24;
    uint64_t high = (uint64_t)p[4] | (uint64_t)p[5] << 8 | (uint64_t)p[6] << 16
                  | (uint64_t)p[7] << 24;
    return low | high << 32;
}

static inline void store64(uint8_t *p, uint64_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
    p[2] = (uint8_t)(v >> 16);
    p[3] = (uint8_t)(v >> 24);
    p[4] = (uint8_t)(v >> 32);
    p[5] = (uint8_t)(v >> 40);
    p[6] = (uint8_t)(v >> 48);
    p[7] = (uint8_t)(v >> 56);
}

/* Appends bits. Between flushes at most 56 new ones: up to 7 remain from the flush before. */
typedef struct {
    uint8_t *out; /* 8 bytes from here on are written at each flush */
    uint64_t bits;
    unsigned filled;
} bit_writer;

static inline void put_bits(bit_writer *w, uint32_t value, unsigned count)
{
    w->bits |= (uint64_t)value << w->filled;
    w->filled += count;
}

static inline void flush_bits(bit_writer *w)
{
    store64(w->out, w->bits);
    w->out += w->filled >> 3;
    w->bits >>= w->filled & ~7u;
    w->filled &= 7u;
}

/* One past the last byte, after a last flush; what is left of that byte is zero. */
static inline uint8_t *end_of_bits(bit_writer *w)
{
    flush_bits(w);
    return w->out + (w->filled > 0);
}

#endif
