/* fuzz.h - what the fuzzer's files share: random numbers, heap blocks, damage, banks of tables. */
#ifndef NIC_FSE_FUZZ_H
#define NIC_FSE_FUZZ_H

#include "fse.h"

/* ---- Random numbers and memory ----------------------------------------------------------- */

uint64_t draw(void);
size_t below(size_t limit);
void demand(int condition, const char *what);

/* Heap blocks of exactly `size` bytes, so that a sanitiser sees an access next to them. */
void *block(size_t size);
void *copy(const void *from, size_t size);

/* ---- Streams to decode ------------------------------------------------------------------- */

typedef struct {
    uint8_t *at;
    size_t size;
} bytes;

/* How many mutants to make of one stream. */
unsigned mutants(void);

/* A damaged copy of a stream; or in its place, what libFuzzer gave. The caller frees it. */
bytes mutant(const uint8_t *stream, size_t size);

/* Counts a mutant. Demands that it is accepted or blamed itself. Returns 1 if accepted. */
int settle(fse_result result);

/* ---- Banks ------------------------------------------------------------------------------- */

typedef struct {
    fse_encoder encoder;
    fse_decoder decoder;
    int16_t *norm;
} bank;

/* Random tables; those that are `full` have a cell for each symbol. Some of the others have one
 * symbol only: then `built` is FSE_ONE_SYMBOL, else FSE_OK. */
bank open_bank(fse_shape shape, int full, fse_result *built);
void close_bank(bank *b);

/* Demands that counts read from a header of `used` bytes can be written and read again. (A run of
 * zeros can be split, so only the counts come back the same.) */
void check_header(const int16_t *norm, unsigned alphabet, unsigned log, size_t used);

/* A symbol with a cell in that table. */
uint8_t draw_symbol(const bank *b, unsigned table);

/* ---- Kinds of rounds --------------------------------------------------------------------- */

void fuzz_header(void);
void fuzz_stream(void);
void fuzz_laplace(void);
void fuzz_two_states(void);
void fuzz_ramp(void);
void fuzz_by_class(void);
void fuzz_by_energy(void);
void fuzz_by_pair(void);
void fuzz_costs(void);

#endif
