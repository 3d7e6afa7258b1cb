/* platform.h - what the C files take from the operating system and the compiler. */
#ifndef NIC_PLATFORM_H
#define NIC_PLATFORM_H

#if defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#define GIVE_WAY() sched_yield()
#else
#define GIVE_WAY() ((void)0)
#endif

#define PATIENCE 2000 /* looks at a counter before giving way to other threads */

/* Under AddressSanitizer, a line of the cache after each array of an arena may not be touched. */
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define FORBID(from, bytes) ASAN_POISON_MEMORY_REGION(from, bytes)
#define ALLOW(from, bytes) ASAN_UNPOISON_MEMORY_REGION(from, bytes)
#define GUARD LINE
#else
#define FORBID(from, bytes) ((void)0)
#define ALLOW(from, bytes) ((void)0)
#define GUARD 0
#endif

#endif
