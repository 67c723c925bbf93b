/*
 * config_int.h - shared by config.c and config_read.c
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_CONFIG_INT_H
#define LQ_CONFIG_INT_H

#include "ingest/config.h"
#include "schema/yaml_doc.h"

enum { SECOND_US = 1000000 };

extern const char *const config__kind_names[INPUT_KINDS];
const char *config__default_listen(enum input_kind k); /* NULL: it must be said */
void config__input_defaults(struct input_config *in);
/* Where it has no name: its type, numbered where there are several. i: its index. */
void config__name_input(struct config *c, struct input_config *in, uint32_t i);
/* What the document says into c; LQ_EINVAL with the place. */
LQ_MUST enum lq_err config__read(struct yaml_doc *d, struct config *c, struct lq_error *e);

#endif
