/*
 * control_request.h - what came by the control socket, frame by frame, to one whole request: a marker or a load (store/control.h has the bytes)
 *
 * Pure: no socket, no store. Whatever the bytes are, the result is a request within the named limits, or BAD with a reason.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_CONTROL_REQUEST_H
#define LQ_CONTROL_REQUEST_H

#include "schema/labels.h"
#include "store/control.h"

struct control_file {
    char *path; /* as the asker wrote it: for labels and messages; "-" is standard input */
    int fd;
};
struct control_request {
    enum control_type kind; /* 0: nothing yet; CONTROL_MARK, CONTROL_LOAD */
    struct marker marker;
    /* a load */
    char *format_name, *label_from, *tz, *stdin_id, *formats_dir; /* NULL: not given */
    struct label_rules labels;
    int64_t reference_us;
    unsigned threads;
    bool progress;
    struct control_file *files;
    size_t n_files, cap_files;
    struct lq_arena mem;
};
void control_request_init(struct control_request *r);
void control_request_fini(struct control_request *r); /* closes the descriptors */

enum request_step { REQUEST_MORE, REQUEST_READY, REQUEST_BAD };
/* One frame; fd: what came along, or -1; it is taken in every case. */
enum request_step control_request_take(struct control_request *r, enum control_type t, lq_str payload, int fd, struct lq_error *e);

#endif
