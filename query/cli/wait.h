/*
 * wait.h - between two looks of a command that goes on: until the time is over, somebody ends it (SIGINT, SIGTERM), or nobody reads its output any more
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_WAIT_H
#define LQ_WAIT_H

#include <stdbool.h>

/* From now on the signals are only noted, and a pipe that closes is an error of writing. */
void wait_init(void);
/* 0: only looks. False: it is over. */
bool wait_ms(unsigned ms);
/* Give standard output what was printed. False: nobody reads it; what was not taken is forgotten, so that the end of the program does not complain. */
bool wait_flush(void);

#endif
