/*
 * derive_trace.c - the exception class and the frame of a stack trace (derive.h)
 *
 * What each runtime prints, and what is taken from it (the root cause: the class that ends the chain of causes, and the first frame below it):
 *
 *      Java, .NET   a.b.XException: text / \tat a.b.C.m(C.java:1) / Caused by: a.b.YException   (.NET: "   at A.B.M() in file:line 1", " ---> ")
 *      Python       Traceback (most recent call last): /   File "a.py", line 1, in f / ValueError: text        last line, last frame
 *      Go           panic: text / goroutine 1 [running]: / main.f(…)                                          text up to the ':', first own frame
 *      Node         TypeError: text /     at f (a.js:1:2)
 *      Ruby         a.rb:1:in `f': text (NameError) / \tfrom a.rb:2:in `g'
 *
 * Numbers of lines are not part of a frame: they move with every release.
 *
 * SPDX-License-Identifier: MIT
 */
#include "schema/derive.h"

enum { TRACE_BYTES_MAX = 16384, CLASS_BYTES_MAX = 128 };

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '$';
}

static lq_str cut(const char *p, const char *end)
{
    return (lq_str){p, end > p ? (size_t)(end - p) : 0};
}

static bool begins(lq_str s, const char *with)
{
    size_t n = strlen(with);
    return s.n >= n && memcmp(s.p, with, n) == 0;
}

/* The class name that ends at `end`, if it looks like one: a last part with a capital first letter, and more than the bare word. */
static lq_str class_ending(const char *start, const char *end)
{
    const char *p = end;
    while (p > start && (is_word(p[-1]) || p[-1] == '.' || (p[-1] == ':' && p - 1 > start && (p[-2] == ':' || p[0] == ':')))) {
        p--;
    }
    const char *last = end;
    while (last > p && is_word(last[-1])) {
        last--;
    }
    size_t n = (size_t)(end - p);
    bool named = end - last > 5 && *last >= 'A' && *last <= 'Z' && (end - last > 9 || memcmp(last, "Exception", (size_t)(end - last)) != 0);
    return named && n <= CLASS_BYTES_MAX && *p != '.' ? (lq_str){p, n} : (lq_str){"", 0};
}

/* The last …Exception or …Error in s. */
static lq_str last_class(lq_str s)
{
    static const char *const endings[] = {"xception", "Error"};
    lq_str best = {"", 0};
    for (size_t k = 0; k < 2; k++) {
        size_t len = strlen(endings[k]);
        for (const char *p = s.p, *end = s.p + s.n; (p = memmem(p, (size_t)(end - p), endings[k], len)) != NULL;) {
            p += len;
            lq_str c = p == end || !(is_word(*p) || *p == '.') || (*p == '.' && (p + 1 == end || !is_word(p[1]))) ? class_ending(s.p, p) : (lq_str){"", 0};
            if (c.n > 0 && (best.n == 0 || c.p > best.p)) {
                best = c;
            }
        }
    }
    return best;
}

static lq_str next_line(lq_str *rest)
{
    const char *nl = rest->n > 0 ? memchr(rest->p, '\n', rest->n) : NULL;
    lq_str line = cut(rest->p, nl != NULL ? nl : rest->p + rest->n);
    size_t used = line.n + (nl != NULL);
    rest->p += used;
    rest->n -= used;
    return line;
}

static lq_str trim(lq_str s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && (s.p[s.n - 1] == '\r' || s.p[s.n - 1] == ' ')) {
        s.n--;
    }
    return s;
}

/* "X: text" or "X" at the beginning of a line, X a dotted name with a capital. */
static lq_str leading_class(lq_str line)
{
    size_t n = 0, last = 0;
    while (n < line.n && (is_word(line.p[n]) || line.p[n] == '.')) {
        last = line.p[n] == '.' ? n + 1 : last;
        n++;
    }
    bool capital = last < n && line.p[last] >= 'A' && line.p[last] <= 'Z';
    return capital && n <= CLASS_BYTES_MAX && (n == line.n || line.p[n] == ':') ? cut(line.p, line.p + n) : (lq_str){"", 0};
}

/* The name of the function in "at NAME(…)", "at async NAME (…)". */
static lq_str at_frame(lq_str line)
{
    lq_str s = {line.p + 3, line.n - 3};
    if (begins(s, "async ")) {
        s = cut(s.p + 6, s.p + s.n);
    }
    size_t n = 0;
    while (n < s.n && s.p[n] != '(' && !(s.p[n] == ' ' && n + 1 < s.n && (s.p[n + 1] == '(' || memcmp(s.p + n, " in ", s.n - n < 4 ? s.n - n : 4) == 0))) {
        n++;
    }
    const char *slash = memrchr(s.p, '/', n); /* module/class.method of Java 9, file:///x.js:1:2 of Node */
    lq_str name = slash != NULL ? cut(slash + 1, s.p + n) : (lq_str){s.p, n};
    const char *colon = name.n > 0 ? memchr(name.p, ':', name.n) : NULL;
    return colon != NULL ? cut(name.p, colon) : name;
}

struct trace {
    lq_str class, frame;
    char *scratch; /* where a frame that has to be put together goes; VALUE_BYTES_MAX */
    bool python, go, want_frame, strong; /* strong: the class stood at the beginning of a line of its own */
};

/*   File "/app/main.py", line 3, in handler   ->   main.py:handler */
static void python_frame(struct trace *t, lq_str s)
{
    const char *close = memchr(s.p + 6, '"', s.n - 6), *in = memmem(s.p, s.n, ", in ", 5);
    if (close == NULL || in == NULL) {
        return;
    }
    const char *slash = memrchr(s.p + 6, '/', (size_t)(close - s.p) - 6), *from = slash != NULL ? slash + 1 : s.p + 6;
    int n = snprintf(t->scratch, 200, "%.*s:%.*s", (int)(close - from), from, (int)(s.p + s.n - in - 5), in + 5);
    t->frame = (lq_str){t->scratch, n < 200 ? (size_t)n : 199};
}

/* main.(*T).f(0x1, …)   ->   main.(*T).f */
static lq_str go_frame(lq_str line)
{
    const char *open = memrchr(line.p, '(', line.n);
    const char *slash = open != NULL ? memrchr(line.p, '/', (size_t)(open - line.p)) : NULL;
    return open != NULL ? cut(slash != NULL ? slash + 1 : line.p, open) : (lq_str){"", 0};
}

/* a.rb:12:in `f': text (NameError)   or   from a.rb:12:in `f' */
static bool ruby_line(struct trace *t, lq_str s)
{
    const char *in = memmem(s.p, s.n, ":in `", 5), *close = in != NULL ? memchr(in + 5, '\'', (size_t)(s.p + s.n - in) - 5) : NULL;
    if (close == NULL) {
        return false;
    }
    if (t->frame.n == 0) {
        t->frame = cut(in + 5, close);
    }
    const char *open = s.p[s.n - 1] == ')' ? memrchr(s.p, '(', s.n) : NULL;
    if (t->class.n == 0 && open != NULL) {
        t->class = cut(open + 1, s.p + s.n - 1);
    }
    return true;
}

static void see_line(struct trace *t, lq_str raw)
{
    lq_str s = trim(raw);
    bool indented = raw.n > 0 && (raw.p[0] == ' ' || raw.p[0] == '\t');
    if (begins(s, "Traceback (most recent call last)")) {
        t->python = true;
    } else if (t->python && begins(s, "File \"")) {
        python_frame(t, s);
    } else if (t->python && !indented) {
        lq_str c = leading_class(s);
        t->class = c.n > 0 ? c : t->class;
    } else if (begins(s, "panic: ") && t->class.n == 0) {
        const char *colon = memchr(s.p + 7, ':', s.n - 7);
        t->class = cut(s.p, colon != NULL ? colon : s.p + s.n);
        t->go = true;
    } else if (begins(s, "goroutine ") && s.n > 0 && s.p[s.n - 1] == ':') {
        t->go = true;
        t->want_frame = t->frame.n == 0;
    } else if (t->go && t->want_frame && !indented && s.n > 1 && s.p[s.n - 1] == ')' && !begins(s, "panic(") && !begins(s, "runtime.")) {
        t->frame = go_frame(s);
        t->want_frame = false;
    } else if (begins(s, "at ") && s.n > 4) {
        t->frame = t->frame.n == 0 ? at_frame(s) : t->frame;
    } else if (begins(s, "Caused by: ")) {
        lq_str c = leading_class(cut(s.p + 11, s.p + s.n));
        if (c.n > 0) {
            t->class = c;
            t->frame = (lq_str){"", 0};
        }
    } else if (!t->go && !t->strong && !ruby_line(t, s)) {
        lq_str c = leading_class(s);
        bool strong = c.n > 5 && (memcmp(c.p + c.n - 5, "Error", 5) == 0 || (c.n > 9 && memcmp(c.p + c.n - 9, "Exception", 9) == 0));
        if (strong) {
            t->strong = true;
            t->frame = (lq_str){"", 0};
        } else if (t->class.n > 0) {
            return;
        }
        c = c.n == 0 ? last_class(s) : c;
        t->class = c.n > 0 ? c : t->class;
    }
}

static void read_trace(lq_str m, struct trace *t)
{
    lq_str rest = {m.p, m.n < TRACE_BYTES_MAX ? m.n : TRACE_BYTES_MAX};
    lq_str first = next_line(&rest);
    if (rest.n == 0) {
        t->class = last_class(first);
        return;
    }
    if (begins(first, "panic: ") || begins(first, "Traceback ") || begins(first, "goroutine ")) {
        see_line(t, first);
    } else if (!ruby_line(t, first)) {
        t->class = last_class(first); /* should the trace below not name it better */
    }
    while (rest.n > 0) {
        see_line(t, next_line(&rest));
    }
}

lq_str derive_exception(lq_str message)
{
    char scratch[256];
    struct trace t = {.scratch = scratch};
    read_trace(message, &t);
    return t.class;
}

lq_str derive_frame(lq_str message, char *scratch)
{
    struct trace t = {.scratch = scratch};
    if (message.n > 0 && memchr(message.p, '\n', message.n) != NULL) {
        read_trace(message, &t);
    }
    return t.frame;
}
