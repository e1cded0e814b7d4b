/*
 * clock - time that only moves forward, for timers and delays.  Thread-safe.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* Milliseconds of CLOCK_MONOTONIC (which no administrator sets); never 0. */
uint64_t clock_ms(void);

#endif
