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
#include <strings.h>

#include "query/change/why_int.h"

static const struct {
    const char *phrases; /* separated by |, lower case, of whole words; * at the end: whatever the word goes on with */
    const char *cause;
} causes[] = {
    {"no space left|disk full|disk is full|disk quota|enospc|not enough space|out of disk|filesystem is full|file "
     "system is full|nearly full|almost full|free space*|disk space*|low disk*|disk usage|disk watermark*|running out "
     "of space",
     "a full disk"},
    {"certificate*|cert expired|x509", "a certificate"},
    {"out of memory|outofmemory*|oom-kill*|oom kill*|cannot allocate memory|heap space|gc overhead|memory limit",
     "memory that ran out"},
    {"too many open files|emfile|file descriptors", "file descriptors that ran out"},
    {"pool exhausted|pool is exhausted|pool timeout|connection is not available|too many connections|no available "
     "connection*|connection limit|pool is full",
     "connections that ran out"},
    {"capacity exhausted|capacity reached|quota exceeded|limit reached|queue is full|queue full|backlog|saturated",
     "a limit that was reached"},
    {"name resolution|name or service not known|nxdomain|getaddrinfo|enotfound|dns", "name resolution"},
    {"connection refused|econnrefused|connect failed|cannot connect|can't connect|could not connect|unable to "
     "connect|failed to connect|connection reset|econnreset|broken pipe|no route to host|unreachable|host is "
     "down|connection closed",
     "a dependency that cannot be reached"},
    {"timed out|timeout*|time-out*|deadline exceeded|etimedout|did not respond|no response|not responding",
     "a dependency that does not answer"},
    {"circuit breaker*|circuit open|circuitbreaker*|marked down|is down|no live upstream*|no server is "
     "available|unavailable",
     "a dependency that is down"},
    {"deadlock*|lock wait|could not obtain lock|lock timeout|database is locked|serialization failure*", "locks"},
    {"rate limit*|too many requests|throttl*", "a rate limit"},
    {"access denied|permission denied|invalid credentials|unauthorized|authentication failed|password "
     "authentication|token expired|invalid token|forbidden|invalid api key",
     "rejected credentials"},
    {"read-only|readonly|read only", "a database that is read-only"},
    {"replication lag|replica lag|failover*|lost quorum|no leader|not the leader|no primary", "a failover"},
    {"segfault*|segmentation fault|core dumped|panic*|sigkill|killed process|crashed|exited with", "a crash"},
};

/* Deeds, the strongest first. */
static const struct {
    const char *phrases;
    enum event_kind kind;
} deeds[] = {
    {"rollback|rolled back|rolling back|reverted", EVENT_ROLLBACK},
    {"deploy*|release|new version|upgraded|rollout|rolled out|migration*|migrated", EVENT_RELEASE},
    {"config*|reconfig*|setting*|reload*|sighup|re-read|reread|feature flag*|featureflag*|toggle*|flag|flags|"
     "parameter*|changed from|set to|switched to|enabled|disabled|rule updated|policy",
     EVENT_CONFIG},
    {"restart*|starting|started in|shutting down|shutdown|stopping|sigterm|booting|boot|listening on|server "
     "started|application started|initialized|initialised|terminated|worker process*",
     EVENT_RESTART},
    {"cron*|job|jobs|backup*|batch*|schedule*|vacuum*|reindex*|nightly|rotat*|cleanup|import|imports|importing|"
     "imported|export*|sync|syncing|synced|report|reports|compaction*|snapshot*|warmup",
     EVENT_JOB},
};

/* Somebody came or went: the words around are names, of people and of the machines that they use. */
static const char logins[] =
    "accepted publickey|accepted password|accepted keyboard-interactive*|session opened|session "
    "closed|new session|removed session|logged in|logged out|logged off|login|logon|logout|"
    "failed password|invalid user|authenticat*|disconnected from|connection closed by";

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Between text[i - 1] and text[i] a word ends or begins: also in NameParts and HTTPNames. */
static bool word_edge(const char *text, size_t i)
{
    if (i == 0 || !is_word(text[i - 1]) || !is_word(text[i])) {
        return true;
    }
    bool upper = isupper((unsigned char)text[i]);
    return upper && (!isupper((unsigned char)text[i - 1]) || islower((unsigned char)text[i + 1]));
}

struct words {
    char text[512], low[512];
};

/* The phrase of n bytes stands in the text, as whole words. */
static bool has_phrase(const struct words *w, const char *phrase, size_t n)
{
    bool open = phrase[n - 1] == '*';
    char one[64];
    n -= open;
    if (n >= sizeof one) {
        return false;
    }
    memcpy(one, phrase, n);
    one[n] = '\0';
    for (const char *at = w->low; (at = strstr(at, one)) != NULL; at++) {
        size_t i = (size_t)(at - w->low);
        if (word_edge(w->text, i) && (open || word_edge(w->text, i + n))) {
            return true;
        }
    }
    return false;
}

static bool has_any(const struct words *w, const char *phrases)
{
    while (*phrases != '\0') {
        size_t n = strcspn(phrases, "|");
        if (n > 0 && has_phrase(w, phrases, n)) {
            return true;
        }
        phrases += n + (phrases[n] == '|');
    }
    return false;
}

static void words_of(lq_str text, struct words *w)
{
    size_t n = text.n < sizeof w->text - 1 ? text.n : sizeof w->text - 1;
    for (size_t i = 0; i < n; i++) {
        w->text[i] = text.p[i] == '\0' ? ' ' : text.p[i];
        w->low[i] = (char)tolower((unsigned char)w->text[i]);
    }
    w->text[n] = w->low[n] = '\0';
}

const char *why__cause_words(lq_str text)
{
    struct words w;
    words_of(text, &w);
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        if (has_any(&w, causes[i].phrases)) {
            return causes[i].cause;
        }
    }
    return NULL;
}

/* Words that stand in the report of any failure: what is left when they are taken away says of which kind it was. */
static const char of_any_failure[] =
    " a abort aborted after again an and any api app application are at attempt attempts be by call called calling can "
    "cannot "
    "catch caught client code completed could did do does done due during encountered end ended endpoint error errors "
    "exception exceptions execute executing execution fail failed failing fails failure failures fatal for from gave "
    "get "
    "giving got had handle handled handler handling has have head http https id in internal into is it its last method "
    "ms msg message not null of on operation or our out patch path post problem process processed processing put "
    "reason "
    "received reply req request requests resp responded response result resulted retries retry retrying returned "
    "returning "
    "route s sec seconds see serve served server service serving severe some something stack status step task that the "
    "there this thrown time to trace trying unable uncaught unexpected unhandled unknown up uri url user warn warning "
    "was "
    "web went were when while with worker wrong ";

bool why__word_of_any_failure(lq_str word)
{
    char w[32];
    size_t n = word.n;
    if (n + 2 >= sizeof w) {
        return false;
    }
    w[0] = ' ';
    for (size_t i = 0; i < n; i++) {
        w[i + 1] = (char)tolower((unsigned char)word.p[i]);
    }
    w[n + 1] = ' ';
    w[n + 2] = '\0';
    return strstr(of_any_failure, w) != NULL;
}

/* A slash at the beginning, or more than one; `shop/cache.ttl` is a name. */
static bool is_path(lq_str token)
{
    size_t slashes = 0, at = 0;
    for (size_t i = 0; i < token.n; i++) {
        at = token.p[i] == '/' && slashes == 0 ? i : at;
        slashes += token.p[i] == '/';
    }
    bool inner = slashes == 1 && at > 0 && at + 1 < token.n && is_word(token.p[at - 1]) && is_word(token.p[at + 1]);
    return slashes > 0 && !inner;
}

static bool no_words(lq_str token)
{
    return is_path(token) || (token.n > 3 && memcmp(token.p, "<*>", 3) == 0);
}

/* The next run of letters and digits that has a letter; false at the end. Paths are no words, nor what hangs on a
 * variable part (<*>.jpg). */
bool why__next_word(lq_str *rest, lq_str *word)
{
    size_t i = 0;
    while (i < rest->n) {
        size_t end = i;
        for (; end < rest->n && rest->p[end] != ' '; end++) {
        }
        if ((i == 0 || rest->p[i - 1] == ' ') && no_words((lq_str){rest->p + i, end - i})) {
            i = end;
            continue;
        }
        bool letter = false;
        size_t j = i;
        for (; j < rest->n && is_word(rest->p[j]); j++) {
            letter = letter || !isdigit((unsigned char)rest->p[j]);
        }
        *word = (lq_str){rest->p + i, j - i};
        i = j > i ? j : i + 1;
        if (letter) {
            i += i < rest->n && rest->p[i] == '/'; /* what follows begins no path */
            *rest = (lq_str){rest->p + i, rest->n - i};
            return true;
        }
    }
    *rest = (lq_str){rest->p + rest->n, 0};
    return false;
}

/* "… on tsdb-primary": a name of several parts after such a word is where it failed, not why. */
static bool names_place(lq_str before, lq_str rest)
{
    static const char *const at[] = {"at", "by", "from", "in", "of", "on", "to"};
    bool place = false;
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        place = place || (before.n == strlen(at[i]) && strncasecmp(before.p, at[i], before.n) == 0);
    }
    return place && rest.n > 1 && (rest.p[0] == '-' || rest.p[0] == '_' || rest.p[0] == '.') && is_word(rest.p[1]);
}

/* What a program says of any request that failed, whatever the reason. */
bool why__only_failure_words(lq_str text)
{
    lq_str rest = text, word, before = {"", 0};
    while (why__next_word(&rest, &word)) {
        if (names_place(before, rest)) {
            while (rest.n > 0 && rest.p[0] != ' ') {
                rest = (lq_str){rest.p + 1, rest.n - 1};
            }
        } else if (!why__word_of_any_failure(word)) {
            return false;
        }
        before = word;
    }
    return text.n > 0;
}

bool why__event_words(lq_str text, enum event_kind *kind)
{
    struct words w;
    words_of(text, &w);
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0] && !has_any(&w, logins); i++) {
        if (has_any(&w, deeds[i].phrases)) {
            *kind = deeds[i].kind;
            return true;
        }
    }
    return false;
}

static const char level_words[] = "warn|warning|error|err|crit|critical|fatal|alert|emerg|severe|panic";

static bool is_warning(lq_str level)
{
    static const char *const levels[] = {"warn",  "warning", "error", "err",   "crit",  "critical",
                                         "fatal", "alert",   "emerg", "panic", "severe"};
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (level.n == strlen(levels[i]) && strncasecmp(level.p, levels[i], level.n) == 0) {
            return true;
        }
    }
    return false;
}

enum { NO_LEVEL = 2 };

/* Of each template: does any of its lines warn? */
static int8_t *levels_of(const struct why *y, const struct stream_info *info, uint32_t template, uint32_t level)
{
    uint32_t n = snapshot_values(y->s, info->id, template);
    int8_t *of = lq_alloc(n + 1);
    memset(of, NO_LEVEL, n + 1);
    for (uint32_t i = 0; i < snapshot_n_series(y->s, info->id) && level != NO_DIM; i++) {
        const uint32_t *ids = snapshot_series(y->s, info->id, i);
        if (ids[template] != VALUE_ABSENT && ids[level] != VALUE_ABSENT && of[ids[template]] != 1) {
            of[ids[template]] = is_warning(snapshot_value(y->s, info->id, level, ids[level])->text);
        }
    }
    return of;
}

int why__complains(const struct why *y, uint32_t stream, uint32_t template_value)
{
    const struct stream_info *info = why__info(y, stream);
    const struct stream_schema *s = info->schema;
    uint32_t template = NO_DIM, level = NO_DIM;
    for (uint32_t d = 0; d < s->n_dims; d++) {
        template = why__is_template(s, d) ? d : template;
        level = strcmp(s->dims[d], "level") == 0 || strcmp(s->dims[d], "severity") == 0 ? d : level;
    }
    if (template == NO_DIM) {
        return -1;
    }
    if (y->complains[stream] == NULL) {
        y->complains[stream] = levels_of(y, info, template, level);
    }
    int8_t *known = &y->complains[stream][template_value];
    if (*known == NO_LEVEL) { /* "error: …" */
        struct words w;
        words_of(snapshot_value(y->s, info->id, template, template_value)->text, &w);
        *known = has_any(&w, level_words) ? 1 : -1;
    }
    return *known;
}
