/* The texts of the demonstration, after the toy corpora that recurrent networks are often introduced with: a book in
   which three children see each other, and the alphabet said in both directions. */
#include "demo_text.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = { "Doug", "Jane", "Spot" };
enum { NAMES = 3, ORDERED_PAIRS = NAMES * (NAMES - 1), LONGEST_SENTENCE = 16, LONGEST_RECITAL = 200 };

/* xorshift32 (Marsaglia 2003): enough to shuffle sentences, the same text on every machine. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

char *demo_book(int sentences)
{
    size_t size = (size_t)sentences * LONGEST_SENTENCE + 1, n = 0;
    char *text = malloc(size);
    uint32_t state = 2463534242u;
    if (!text) return NULL;
    text[0] = 0;
    for (int i = 0; i < sentences; i++) {
        uint32_t pair = (next_random(&state) >> 8) % ORDERED_PAIRS, who = pair / (NAMES - 1);
        uint32_t whom = (who + 1 + pair % (NAMES - 1)) % NAMES; /* anyone but oneself */
        n += (size_t)snprintf(text + n, size - n, "%s saw %s . ", names[who], names[whom]);
    }
    return text;
}

/* forward a then b then … , backward z then y then … ; up to and including `last` */
static size_t recite(char *to, size_t size, bool forwards, char last)
{
    size_t n = (size_t)snprintf(to, size, "%s", forwards ? "forward" : "backward");
    int step = forwards ? 1 : -1;
    for (char c = forwards ? 'a' : 'z'; n < size; c = (char)(c + step)) {
        n += (size_t)snprintf(to + n, size - n, " %c%s", c, c == last ? "" : " then");
        if (c == last) break;
    }
    return n;
}

char *demo_alphabet(int recitals)
{
    size_t size = (size_t)recitals * LONGEST_RECITAL + 1, n = 0;
    char *text = malloc(size);
    uint32_t state = 2463534242u;
    if (!text) return NULL;
    text[0] = 0;
    for (int i = 0; i < recitals; i++) {
        bool forwards = next_random(&state) >> 31;
        n += recite(text + n, size - n, forwards, forwards ? 'z' : 'a');
        n += (size_t)snprintf(text + n, size - n, " . ");
    }
    return text;
}

char *demo_prime(bool forwards, char last)
{
    size_t size = 2 * LONGEST_RECITAL;
    char *text = malloc(size);
    if (!text) return NULL;
    size_t n = recite(text, size, !forwards, forwards ? 'a' : 'z');
    n += (size_t)snprintf(text + n, size - n, " . ");
    n += recite(text + n, size - n, forwards, last);
    snprintf(text + n, size - n, " then");
    return text;
}

/* ---- judging ---- */
enum { WORD_SAW = NAMES, WORD_STOP, WORD_OTHER, WORD_END, REMEMBERED = 4 };

/* The next word of *text, and *text behind it. A full stop is a word even where no blank stands before it. */
static int next_word(const char **text)
{
    static const char blanks[] = " \t\r\n", eos[] = "<eos>";
    for (;;) {
        *text += strspn(*text, blanks);
        if (**text == 0) return WORD_END;
        if (**text == '.') {
            ++*text;
            return WORD_STOP;
        }
        const char *word = *text;
        size_t n = strcspn(word, " \t\r\n.");
        *text += n;
        if (n == sizeof eos - 1 && memcmp(word, eos, n) == 0) continue;
        for (int i = 0; i < NAMES; i++)
            if (strlen(names[i]) == n && memcmp(word, names[i], n) == 0) return i;
        return n == 3 && memcmp(word, "saw", n) == 0 ? WORD_SAW : WORD_OTHER;
    }
}

/* One sentence; *complete is false when the text ends before its full stop. Returns its mistake, DEMO_MISTAKES
   when there is none. */
static int judge_sentence(const char **text, bool *complete)
{
    int words = 0, saws = 0, first[REMEMBERED] = { 0 }, two_before = WORD_OTHER, before = WORD_OTHER, word;
    bool itself = false;
    do {
        word = next_word(text);
        if (words < REMEMBERED) first[words] = word;
        words++;
        saws += word == WORD_SAW;
        itself |= word < NAMES && before == WORD_SAW && two_before == word;
        two_before = before;
        before = word;
    } while (word != WORD_STOP && word != WORD_END);
    *complete = word == WORD_STOP;
    if (itself) return DEMO_ITSELF;
    if (saws > 1) return DEMO_RUN_ON;
    if (words < REMEMBERED) return DEMO_FRAGMENT;
    bool right = words == REMEMBERED && first[0] < NAMES && first[1] == WORD_SAW && first[2] < NAMES;
    return right ? DEMO_MISTAKES : DEMO_OTHER;
}

demo_count demo_judge(const char *text, int limit)
{
    demo_count count = { 0 };
    while (count.sentences < limit) {
        bool complete;
        int mistake = judge_sentence(&text, &complete);
        if (!complete) break;
        count.sentences++;
        if (mistake < DEMO_MISTAKES) count.mistakes[mistake]++;
    }
    return count;
}

size_t demo_beginning(const char *text, int sentences)
{
    const char *p = text;
    while (sentences > 0) {
        int word = next_word(&p);
        if (word == WORD_END) break;
        if (word == WORD_STOP) sentences--;
    }
    return (size_t)(p - text);
}
