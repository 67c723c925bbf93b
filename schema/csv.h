/*
 * csv.h - cells of a line with separators (RFC 4180)
 *
 * A cell may be quoted; "" inside is one quote. A quoted cell cannot hold a line end here: lines are cut before.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_CSV_H
#define LQ_CSV_H

#include "schema/base/buf.h"

/* The next cell of *rest, which moves behind it and its separator. Unquoted text is a view of the line; quotes that need it are undone in scratch, which
 * must have room for rest->n more bytes. *more: another cell follows. false: a quote that does not close, or text behind one. */
bool csv_next(lq_str *rest, char separator, struct lq_buf *scratch, lq_str *cell, bool *more);

#endif
