/*
 * err.h - what can go wrong, and how a person is told
 *
 * Fallible functions return enum lq_err (0 = ok) and write their outputs only on success. Where a person wrote the
 * input (format file, config, query, command line) they also fill a caller-owned struct lq_error with the position;
 * lq_error_print shows file:line:column, the text with a caret, and a hint. What the network or a log file contains is
 * never an error of the program: it is counted under a named reason.
 *
 * A broken invariant is LQ_ASSERT: always on, aborts. Out of memory aborts (lq_alloc and friends in buf.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_ERR_H
#define LQ_ERR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define LQ_MUST         __attribute__((warn_unused_result))
#define LQ_PRINTF(f, a) __attribute__((format(printf, f, a)))

enum lq_err {
    LQ_OK = 0,
    LQ_EINVAL,   /* a person wrote something wrong: query, flag, format file (exit 2) */
    LQ_EIO,      /* read or write failed */
    LQ_ENOSPC,   /* disk full or map full */
    LQ_ENOENT,   /* no such file, directory, store, stream */
    LQ_EACCES,   /* permission */
    LQ_EBUSY,    /* another writer holds the store */
    LQ_EVERSION, /* the store was written by a newer format version */
    LQ_ECORRUPT, /* checksum or structure is wrong */
    LQ_ELIMIT,   /* a named limit was reached */
    LQ_ENODATA,  /* nothing there to answer from */
};

struct lq_error {
    enum lq_err code;
    uint32_t line;   /* 1-based; 0 = no position */
    uint32_t column; /* 1-based byte column; 0 = no column */
    uint32_t width;  /* bytes underlined, at least 1 when column is set */
    char file[256];  /* file or source of the text ("query", "--since"); "" = none */
    char text[256];  /* the offending line, for the caret; "" = none */
    char msg[512];
    char hint[256]; /* what to do or type instead; "" = none */
};

/* Set code and message (position, text and hint are cleared). Return code, so that `return lq_error_set(…)` works.
 * e may be NULL everywhere: then only the code is returned. */
enum lq_err lq_error_set(struct lq_error *e, enum lq_err code, const char *fmt, ...) LQ_PRINTF(3, 4);
/* The same for errno after a failed system call on `what`: "cannot open access.log: No such file or directory". */
enum lq_err lq_error_errno(struct lq_error *e, int errnum, const char *doing, const char *what);
void lq_error_hint(struct lq_error *e, const char *fmt, ...) LQ_PRINTF(2, 3);
/* Where: `text` is the line (copied, cut with the caret kept in view), column 1-based in it. */
void lq_error_where(struct lq_error *e, const char *file, uint32_t line, uint32_t column, uint32_t width,
                    const char *text, size_t text_len);
/* Where the caret stands below `text`, in characters, and how many are underlined (the text may be cut: `column` and `width` are of the whole line, in bytes). */
void lq_error_caret(const struct lq_error *e, uint32_t *at, uint32_t *width);
/* Print to f: "PROG: FILE:LINE:COL: MSG\n  TEXT\n  ^^^\nhint: …\n". Control bytes are shown as \xNN. */
void lq_error_print(FILE *f, const char *prog, const struct lq_error *e);

/* The nearest of n names by edit distance (transposition counts 1), or NULL where none is near enough
 * (distance > 1 + len/3). A unique prefix match counts as near. Ties: first in order. */
const char *lq_nearest(const char *word, size_t len, const char *const *names, size_t n);

_Noreturn void lq_assert_fail(const char *expr, const char *file, int line);
#define LQ_ASSERT(x) ((x) ? (void)0 : lq_assert_fail(#x, __FILE__, __LINE__))

#endif
