/*
 * compared.h - a count beside that of the period before, in a word
 *
 * "more" and "fewer" need twice or half as many, and a difference that chance would not make (three standard deviations of a Poisson count).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_COMPARED_H
#define LQ_COMPARED_H

enum { COMPARED_STATES = 6 };
/* In the order of what is worth a look: new, gone, more, fewer, same, ? (nothing is known of before). */
extern const char *const compared_states[COMPARED_STATES];
unsigned compared_state(double now, double before); /* before NAN: not known */

#endif
