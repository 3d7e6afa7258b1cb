/* rows_avx2.c - the loops for x86-64 with AVX2. */
#include "internal.h"

#if defined(DISTORTION_X86)
#pragma GCC target("avx2")
#define KERNELS distortion_avx2
#include "rows.h"
#endif
