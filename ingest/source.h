/*
 * source.h - the bytes of a file or of standard input, decompressed by content (gzip, zstd), not by name
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_SOURCE_H
#define LQ_SOURCE_H

#include "schema/base/buf.h"

struct source;
/* path "-" is standard input. LQ_ENOENT, LQ_EACCES, LQ_EINVAL (a directory). */
LQ_MUST enum lq_err source_open(const char *path, struct source **out, struct lq_error *e);
/* From an open descriptor, which stays the caller's; the path is for messages. A read from a pipe that waits fails (LQ_EIO) when something comes from `cancel`,
 * or its other side closes; -1: it waits for ever. */
LQ_MUST enum lq_err source_open_fd(const char *path, int fd, int cancel, struct source **out, struct lq_error *e);
void source_close(struct source **s);
/* Up to cap bytes of content; *n = 0 at the end. A truncated or damaged archive: what could be read comes first, then LQ_ECORRUPT. */
LQ_MUST enum lq_err source_read(struct source *s, char *p, size_t cap, size_t *n, struct lq_error *e);
bool source_compressed(const struct source *s);
int64_t source_mtime_us(const struct source *s); /* 0 = unknown */
uint64_t source_size(const struct source *s);    /* bytes of the file as stored, 0 = unknown */
uint64_t source_consumed(const struct source *s); /* of them, read so far */
bool source_is_file(const struct source *s);

#endif
