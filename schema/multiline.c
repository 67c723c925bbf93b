/*
 * multiline.c - which lines belong to the one before them (multiline.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/multiline.h"

#include "schema/plain.h"

bool multiline_is_trace(lq_str line)
{
    static const char *const beginnings[] = {
        "Caused by: ", "Suppressed: ", "Traceback (most recent call last)", "During handling of the above exception", "The above exception was the direct cause",
        "goroutine ", "created by ", "panic: ", "[signal ", "exit status ", "--- End of ", "Unhandled exception", "main.", "runtime.", "}", "]", ")", "...", "Node.js v",
    };
    if (line.n == 0) {
        return true;
    }
    if (line.p[0] == ' ' || line.p[0] == '\t') {
        return true;
    }
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        size_t n = strlen(beginnings[i]);
        if (line.p[0] == beginnings[i][0] && line.n >= n && memcmp(line.p, beginnings[i], n) == 0) {
            return true;
        }
    }
    return false;
}

bool multiline_continues(lq_str line)
{
    lq_str stamp, level, message;
    if (multiline_is_trace(line)) {
        return true;
    }
    return line.p[0] != '{' && !plain_scan(line, &stamp, &level, &message);
}
