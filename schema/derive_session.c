/*
 * derive_session.c - how a session ends, as one line shows it (derive.h)
 *
 * From the line alone, so that order, threads, merging and restarts change nothing, and nothing is kept for each identity: README.md has what that costs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/derive.h"

static bool is(lq_str s, const char *word)
{
    return lq_str_is(s, word);
}

static char low(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* The first letters of all the words below: nearly every segment of nearly every line needs no look at the words (a tenth of all instructions of lqd, before). */
static bool may_begin(char c)
{
    c = low(c);
    return c == 'l' || c == 's' || c == 'w';
}

/* A segment of the path that begins with one of the words and ends there, or goes on with no letter: /Login.php, /user/sign_in, not /loginhelp. */
static bool has_segment(lq_str target, const char *const *words, size_t n_words)
{
    for (size_t i = 0; i < target.n && target.p[i] != '?' && target.p[i] != '#'; i++) {
        if ((i > 0 && target.p[i - 1] != '/') || !may_begin(target.p[i])) {
            continue;
        }
        for (size_t k = 0; k < n_words; k++) {
            size_t n = 0;
            while (words[k][n] != '\0' && i + n < target.n && low(target.p[i + n]) == words[k][n]) {
                n++;
            }
            char next = i + n < target.n ? low(target.p[i + n]) : '/';
            if (words[k][n] == '\0' && !(next >= 'a' && next <= 'z')) {
                return true;
            }
        }
    }
    return false;
}

static bool is_login(lq_str target)
{
    static const char *const words[] = {"login", "log-in", "log_in", "logon", "signin", "sign-in", "sign_in", "wp-login"};
    return has_segment(target, words, sizeof words / sizeof words[0]);
}

static bool is_logout(lq_str target)
{
    static const char *const words[] = {"logout", "log-out", "log_out", "logoff", "signout", "sign-out", "sign_out"};
    return has_segment(target, words, sizeof words / sizeof words[0]);
}

/* Of a target that is a whole address ("https://login.example.com:443/a"): from its path on. A host whose name is login is no attempt to sign in. */
static lq_str path_of(lq_str target)
{
    if (target.n == 0 || target.p[0] == '/') {
        return target;
    }
    const char *host = memmem(target.p, target.n < 12 ? target.n : 12, "://", 3), *end = target.p + target.n;
    const char *slash = host != NULL ? memchr(host + 3, '/', (size_t)(end - host - 3)) : NULL;
    return host == NULL ? target : slash != NULL ? (lq_str){slash, (size_t)(end - slash)} : (lq_str){end, 0};
}

static bool present(lq_str s)
{
    return s.n > 1 || (s.n == 1 && s.p[0] != '-');
}

static bool expired(lq_str status)
{
    return is(status, "419") || is(status, "440"); /* Laravel: page expired; IIS: login time-out */
}

static bool has_parameter(const char *q, const char *end, const char *const *names, size_t n_names)
{
    while (q < end) {
        size_t n = 0;
        while (q + n < end && q[n] != '=' && q[n] != '&') {
            n++;
        }
        for (size_t k = 0; k < n_names; k++) {
            size_t i = 0;
            while (i < n && names[k][i] != '\0' && low(q[i]) == names[k][i]) {
                i++;
            }
            if (i == n && names[k][i] == '\0') {
                return true;
            }
        }
        const char *next = memchr(q + n, '&', (size_t)(end - q - (ptrdiff_t)n));
        q = next != NULL ? next + 1 : end;
    }
    return false;
}

/* What the parameters say: where to go on after the login, and that a session ran out. */
static unsigned parameters(const char *q, const char *end)
{
    static const char *const returns[] = {"next", "return", "return_to", "returnto", "returnurl", "return_url", "redirect", "redirect_to", "continue", "back"};
    static const char *const ran_out[] = {"expired", "timeout", "session_expired", "reauth"};
    bool out = has_parameter(q, end, ran_out, sizeof ran_out / sizeof ran_out[0]);
    return (out ? SESSION_RAN_OUT | SESSION_RETURNS : 0U) | (has_parameter(q, end, returns, sizeof returns / sizeof returns[0]) ? SESSION_RETURNS : 0U);
}

static unsigned parameters_of(lq_str target)
{
    const char *q = target.n > 0 ? memchr(target.p, '?', target.n) : NULL;
    return q != NULL ? parameters(q + 1, target.p + target.n) : 0;
}

unsigned derive_session_evidence(const struct session_line *x)
{
    if (!derive_session_shows(x->status, x->target, x->query)) {
        return 0;
    }
    bool moved = derive_redirect(x->status), apart = present(x->query);
    return (present(x->user) ? SESSION_NAMED : 0U) | (present(x->referrer) && !is_login(x->referrer) ? SESSION_FROM_PAGE : 0U) |
           (moved && is_login(x->location) ? SESSION_TO_LOGIN : 0U) | (apart ? parameters(x->query.p, x->query.p + x->query.n) : 0U);
}

/* Sent here from a page, or from a session that ran out; where answers show their Location, that has been counted. */
static bool sent_to_login(const struct session_line *x, unsigned evidence)
{
    if (x->shows_location || !is(x->method, "GET")) {
        return false;
    }
    unsigned said = (evidence | parameters_of(x->target)) & (SESSION_RETURNS | SESSION_RAN_OUT);
    return x->shows_referrer ? (evidence & SESSION_FROM_PAGE) != 0 && said != 0 : (said & SESSION_RAN_OUT) != 0;
}

lq_str derive_session_plain(lq_str status, lq_str target)
{
    lq_str path = path_of(target);
    bool fine = status.n == 3 && (status.p[0] == '2' || status.p[0] == '3');
    return fine && is_logout(path) ? LQ_STR("logout") : expired(status) && !is_login(path) && !is_logout(path) ? LQ_STR("lost") : (lq_str){"", 0};
}

lq_str derive_session_end(const struct session_line *x)
{
    unsigned evidence = derive_session_evidence(x);
    bool fine = x->status.n == 3 && (x->status.p[0] == '2' || x->status.p[0] == '3');
    lq_str path = path_of(x->target);
    if (is_logout(path)) {
        return fine ? LQ_STR("logout") : (lq_str){"", 0};
    }
    bool lost;
    if (is_login(path)) {
        lost = fine && sent_to_login(x, evidence);
    } else {
        lost = expired(x->status) || (is(x->status, "401") && (evidence & SESSION_NAMED) != 0) ||
               ((evidence & SESSION_TO_LOGIN) != 0 && (evidence & (SESSION_NAMED | SESSION_FROM_PAGE)) != 0);
    }
    return lost ? LQ_STR("lost") : (lq_str){"", 0};
}
