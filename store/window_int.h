/*
 * window_int.h - shared by window.c and window_memo.c
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_WINDOW_INT_H
#define LQ_WINDOW_INT_H

#include "store/store_int.h"

/* A record with the hash of its line as it may be kept, which decides between examples of one moment: worked out once, where it is asked for at all. */
struct sight {
    struct window_stream *ws;
    const struct record *r;
    uint64_t hash;
    bool hashed;
};
uint64_t window__sight_hash(struct sight *s);

/* The place of a memo number (record.h); its memo is another's, or 0, where the record must go the long way. Places move when they become more. */
struct window_memo *window_memo_of(struct window_stream *ws, uint64_t memo);
/* This line is no better example of any value: it comes after one that was offered to all of them. (Under load thousands of lines share a second.) */
bool window_memo_covers(const struct window_memo *m, struct sight *s);
/* The record went the long way: the next ones with its number need not. */
void window_memo_take(struct window_stream *ws, struct sight *sight, const uint32_t ids[DIM_MAX], uint32_t series);
/* What was counted apart is given to the dimensions. */
void window_memos_settle(struct window_stream *ws);
void window_memos_clear(struct window_stream *ws);

#endif
