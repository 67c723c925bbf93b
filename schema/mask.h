/*
 * mask.h - personal data and secrets out of texts, before anything is stored
 *
 * Found and replaced: e-mail addresses (also user%40host), tokens (what stands behind password=, token:, Authorization: and the like, user:password@ in
 * URLs, JSON Web Tokens, keys with well-known beginnings), card numbers (13 to 19 digits whose Luhn sum is right, with blanks or dashes between groups),
 * IP addresses (v4 and v6). Each becomes KIND-hhhhhhhhhhhh, 48 bits of a keyed hash (SipHash-2-4, Aumasson and Bernstein 2012) of the value itself: the same value has the
 * same name, so that distinct counts and "the heaviest client" still work, and without the key it cannot be found by trying all 4 billion addresses.
 *
 * Four numbers with dots are an address, even where a program means a version. What is none of these kinds stays: names of people are not found.
 *
 * The masking is done where records enter the windows of a store (store/window.h): no input can miss it. Formats, derived fields (the audience of an
 * address) and predicates see the line as it came. Pure: bytes in, bytes out.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_MASK_H
#define LQ_MASK_H

#include "schema/base/buf.h"

enum mask_kind { MASK_EMAIL = 1, MASK_TOKEN = 2, MASK_CARD = 4, MASK_IP = 8, MASK_ALL = 15 };
enum { MASK_KEY_BYTES = 16, MASK_NAME_BYTES_MAX = 24 };

/* "email,ip" or "all" to bits; a wrong word is named, with the nearest. */
LQ_MUST enum lq_err mask_parse(lq_str list, unsigned *kinds, struct lq_error *e);
/* 32 hexadecimal digits to a key. */
LQ_MUST enum lq_err mask_key_parse(lq_str hex, uint8_t key[MASK_KEY_BYTES], struct lq_error *e);

struct masker {
    unsigned kinds; /* enum mask_kind bits */
    uint8_t key[MASK_KEY_BYTES];
};
/* The text with what is to be masked replaced: `in` itself when there is nothing, else in scratch, cut at cap (then a value that is cut is left out). */
lq_str mask_text(const struct masker *m, unsigned kinds, lq_str in, char *scratch, size_t cap);

uint64_t siphash(const uint8_t key[MASK_KEY_BYTES], const void *p, size_t n);

#endif
