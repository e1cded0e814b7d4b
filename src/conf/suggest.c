#include <ctype.h>
#include <string.h>

#include "conf/schema.h"

enum { LONGEST = 40 };

/* Levenshtein: letters to add, drop or change to get from a to b. */
static size_t
distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), row[LONGEST + 1];

	if (la > LONGEST || lb > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = corner + (tolower((unsigned char)a[i - 1]) !=
						   tolower((unsigned char)b[j - 1]));

			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = row[j];
			row[j] = best;
		}
	}
	return row[lb];
}

const char *
suggest(const char *text, const char *const *words, size_t count)
{
	const char *best = NULL;
	size_t least = strlen(text) / 3 + 1; /* farther than this is another word */

	for (size_t i = 0; i < count; i++) {
		size_t d = distance(text, words[i]);

		if (d < least) {
			least = d;
			best = words[i];
		}
	}
	return best;
}
