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

/* Loops whose text is compiled a second time for processors with shifts and masks by a register
 * that leave the flags alone (BMI2), and chosen between at run time. */
#if defined(__GNUC__) && defined(__x86_64__)
#define FSE_HAS_BMI2
#define ON_BMI2 __attribute__((target("bmi,bmi2")))
#define ON_AVX2 __attribute__((target("avx2,bmi,bmi2")))
static inline int has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}
static inline int has_bmi2(void)
{
    return __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
#else
static inline int has_avx2(void)
{
    return 0;
}
static inline int has_bmi2(void)
{
    return 0;
}
#endif

/* The largest byte: one vector pass, and the coding loops need no check of their indices. */
static inline uint8_t largest(const uint8_t *bytes, size_t n)
{
    uint8_t most = 0;
    for (size_t i = 0; i < n; i++)
        most = bytes[i] > most ? bytes[i] : most;
    return most;
}

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

/* ---- Reading ramped payloads, forwards --------------------------------------------------- */

/* Bits are read from `at` on, the lowest of each byte first; but before them the `held` bits
 * that states gave back. */
typedef struct {
    const uint8_t *src;
    size_t size;
    uint64_t at;
    uint64_t back;
    unsigned held;
} front_reader;

/* 57 bits at least from position `at` on, zeros beyond the end. */
static inline uint64_t bits_at(const front_reader *r, uint64_t at)
{
    uint64_t byte = at >> 3;
    if (byte + 8 <= r->size)
        return load64(r->src + byte) >> (at & 7);
    uint64_t bits = 0;
    for (uint64_t i = r->size; i-- > byte;)
        bits = bits << 8 | r->src[i];
    return bits >> (at & 7);
}

/* Up to 12 bits, of those given back first. */
static inline uint32_t take_bits(front_reader *r, unsigned count)
{
    uint64_t bits = r->back | bits_at(r, r->at) << r->held;
    unsigned given = count < r->held ? count : r->held;
    r->at += count - given;
    r->back >>= given;
    r->held -= given;
    return (uint32_t)bits & ((1u << count) - 1);
}

static inline fse_result open_front(front_reader *r, const uint8_t *src, size_t size, unsigned *ramp)
{
    if (size == 0 || src[0] == 0 || size > INT64_MAX / 8)
        return FSE_PAYLOAD_UNCLOSED;
    *r = (front_reader){src, size, 1, 0, 0};
    while (!(src[0] >> (r->at - 1) & 1))
        r->at++;
    *ramp = take_bits(r, FSE_RAMP_BITS);
    return FSE_OK;
}

/* ---- Writing headers and two-state payloads ---------------------------------------------- */

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
