/*
 * sighting.h - what a line shows that was done: a restart, a release, a new configuration, a kill
 *
 *      record --rules (markers: of the format, and of messages.yaml)--> sighting --window, flush--> store: markers (store/marker.h)
 *
 * A rule is told by the masked shape of a message (`template:`), decided once for each shape and remembered, or by a predicate over fields (`when:`). From
 * the message of a line whose shape fits, `read:` takes name, service and host; a line that it does not match is no sighting. The keys of a rule:
 *
 *   markers:
 *     - kind: restart              release, rollback, restart, config, oom, format or note
 *       template: '(?i)^start'     PCRE2 over the shape; or   when: 'action = upgrade'   a predicate as in error:
 *       read: '(?<name>v\d+)'      PCRE2 over the message: groups name, service, host
 *       from: [kernel, systemd]    only of these services
 *       name: new                  fields of the format that give name, service and host
 *       service: package
 *       called: packages           a name for all of them
 *       version_of: route          name is a version of this field's value: only where a second one comes in place of the first, something was done
 *       confidence: 80             percent
 *
 * A format file with `markers:` and no `fields:` holds rules for the messages of all formats (formats/messages.yaml; a file of the same name replaces it).
 * Everything is decided from the line alone, so that the sightings of a log do not depend on order, threads or restarts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LQ_SIGHTING_H
#define LQ_SIGHTING_H

#include "schema/base/buf.h"

enum { SIGHTING_NAME_MAX = 120 };

struct sighting {
    const char *kind; /* of the rule: lives as long as the formats */
    uint8_t confidence;
    bool version; /* name is a version of `of` */
    lq_str name, of, host, service; /* views into the line, or the record's dimensions */
};

/* The kinds that a rule may have, for messages. */
extern const char *const sighting_kinds[];
extern const size_t n_sighting_kinds;

/* Rules for messages, as a thread uses them: with a memory of the shapes decided so far. For lines that are parsed without a format (syslog messages of
 * lqd); parsers have their own. */
struct format_set;
struct message_sights;
struct message_sights *message_sights_new(const struct format_set *s);
void message_sights_free(struct message_sights **m);
bool message_sight(struct message_sights *m, lq_str shape, lq_str message, lq_str host, lq_str service, struct sighting *out);

#endif
