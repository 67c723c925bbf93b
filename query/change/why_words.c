/*
 * why_words.c - what messages say: causes that they name, and deeds that they report
 *
 * A few phrases that programs all over the world use. A message that names a cause is worth more than one that only
 * reports a failure; nothing rests on these words alone: the message must also be new, or have become frequent, before
 * the errors.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>

#include "query/change/why_int.h"

static const struct {
    const char *phrases; /* separated by |, lower case */
    const char *cause;
} causes[] = {
    {"no space left|disk full|disk is full|disk quota|enospc|not enough space|out of disk|filesystem is full|file "
     "system is full",
     "a full disk"},
    {"certificate has expired|certificate expired|cert expired|certificate is not yet valid|certificate verify "
     "failed|certificate_expired|x509|certificate",
     "a certificate"},
    {"out of memory|outofmemory|oom-kill|oom kill|cannot allocate memory|heap space|gc overhead|memory limit",
     "memory that ran out"},
    {"too many open files|emfile|file descriptors", "file descriptors that ran out"},
    {"pool exhausted|pool is exhausted|pool timeout|connection is not available|too many connections|no available "
     "connection|connection limit|pool is full",
     "connections that ran out"},
    {"capacity exhausted|capacity reached|quota exceeded|limit reached|queue is full|queue full|backlog|saturated",
     "a limit that was reached"},
    {"name resolution|name or service not known|nxdomain|getaddrinfo|enotfound|dns", "name resolution"},
    {"connection refused|econnrefused|connect failed|cannot connect|can't connect|could not connect|unable to "
     "connect|failed to connect|connection reset|econnreset|broken pipe|no route to host|unreachable|host is "
     "down|connection closed",
     "a dependency that cannot be reached"},
    {"timed out|timeout|time-out|deadline exceeded|etimedout|did not respond|no response|not responding",
     "a dependency that does not answer"},
    {"circuit breaker|circuit open|circuitbreaker|marked down|is down|no live upstream|no server is "
     "available|unavailable",
     "a dependency that is down"},
    {"deadlock|lock wait|could not obtain lock|lock timeout|database is locked|serialization failure", "locks"},
    {"rate limit|too many requests|throttl", "a rate limit"},
    {"access denied|permission denied|invalid credentials|unauthorized|authentication failed|password "
     "authentication|token expired|invalid token|forbidden|invalid api key",
     "rejected credentials"},
    {"read-only|readonly|read only", "a database that is read-only"},
    {"replication lag|replica lag|failover|lost quorum|no leader|not the leader|no primary", "a failover"},
    {"segfault|segmentation fault|core dumped|panic|sigkill|killed process|crashed|exited with", "a crash"},
};

/* Deeds, the strongest first. */
static const struct {
    const char *phrases;
    enum event_kind kind;
} deeds[] = {
    {"rollback|rolled back|rolling back|reverted", EVENT_ROLLBACK},
    {"deploy|release|new version|upgraded|rollout|rolled out|migration|migrated", EVENT_RELEASE},
    {"config|setting|reload|sighup|re-read|reread|feature flag|featureflag|feature toggle|toggle|flag "
     "|parameter|changed from|set "
     "to|switched to|enabled|disabled|rule updated|policy",
     EVENT_CONFIG},
    {"restart|starting|started in|shutting down|shutdown|stopping|sigterm|booting|boot |listening on|server "
     "started|application started|initialized|initialised|terminated|worker process",
     EVENT_RESTART},
    {"cron|job|backup|batch|scheduled|schedule|vacuum|reindex|nightly|rotate|cleanup|import|export|sync|report|"
     "compaction|snapshot|warmup",
     EVENT_JOB},
};

static bool has_any(const char *text, const char *phrases)
{
    char one[64];
    while (*phrases != '\0') {
        size_t n = strcspn(phrases, "|");
        if (n > 0 && n < sizeof one) {
            memcpy(one, phrases, n);
            one[n] = '\0';
            if (strstr(text, one) != NULL) {
                return true;
            }
        }
        phrases += n + (phrases[n] == '|');
    }
    return false;
}

static const char *lower(lq_str text, char out[512])
{
    size_t n = text.n < 511 ? text.n : 511;
    for (size_t i = 0; i < n; i++) {
        out[i] = (char)tolower((unsigned char)text.p[i]);
    }
    out[n] = '\0';
    return out;
}

const char *why__cause_words(lq_str text)
{
    char low[512];
    lower(text, low);
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        if (has_any(low, causes[i].phrases)) {
            return causes[i].cause;
        }
    }
    return NULL;
}

/* What a program says of any request that failed, whatever the reason. */
bool why__only_failure_words(lq_str text)
{
    char low[512];
    lower(text, low);
    return has_any(low, "request failed|failed request|request <*> failed|failed to process|failed to handle|failed to "
                        "serve|error processing|error handling|internal server error|status <*>|status 5|status=5|"
                        "http 5|responded with error");
}

bool why__event_words(lq_str text, enum event_kind *kind)
{
    char low[512];
    lower(text, low);
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        if (has_any(low, deeds[i].phrases)) {
            *kind = deeds[i].kind;
            return true;
        }
    }
    return false;
}
