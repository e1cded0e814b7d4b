#include "growing.h"

#include <stdlib.h>
#include <string.h>

void
growing_add(struct growing *g, const void *p, size_t len)
{
	if (len == 0 || g->failed)
		return;
	if (len > g->max - g->len) {
		g->failed = true;
		return;
	}
	if (g->cap - g->len < len) {
		size_t cap = g->cap == 0 ? 256 : g->cap;
		uint8_t *q;

		while (cap < g->len + len)
			cap *= 2;
		q = realloc(g->data, cap);
		if (q == NULL) {
			g->failed = true;
			return;
		}
		g->data = q;
		g->cap = cap;
	}
	memcpy(g->data + g->len, p, len);
	g->len += len;
}

void
growing_text(struct growing *g, const char *s)
{
	growing_add(g, s, strlen(s));
}

void
growing_free(struct growing *g)
{
	free(g->data);
	g->data = NULL;
	g->len = g->cap = 0;
}
