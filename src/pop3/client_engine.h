/*
 * client_engine - what the parts of the calling engine share.  Private to src/pop3.
 */
#ifndef POP3_CLIENT_ENGINE_H
#define POP3_CLIENT_ENGINE_H

#include <pop3/client.h>
#include <pop3/content.h>

#include "growing.h"

enum {
	CONTENT_BLOCK = 16384,
	TIMESTAMP_MAX = 255,
	OUTPUT_MAX = POP3_CLIENT_WINDOW_MAX * POP3_LINE_MAX + POP3_CLIENT_SASL_MAX,
};

/* How lines of one message end, and where in them we are. */
struct receiving {
	enum pop3_undot at;
	bool bare; /* by LF alone, since the status line on (Q-S50) */
};

/* Like pop3_undot(), for either kind of line end. */
size_t receiving_undot(
    struct receiving *r, const uint8_t *in, size_t len, uint8_t *out, size_t *ret_len);

struct outstanding {
	enum pop3_client_command command;
	uint64_t number;
	uint64_t end; /* octets of output up to its line's end: no reply is due before */
};

enum reading {
	READ_STATUS,
	READ_LISTING, /* lines, until "." */
	READ_CONTENT,
	READ_CONTENT_END, /* all of it was given; DONE is next */
};

struct pop3_client {
	enum pop3_state state;
	enum reading reading;
	bool tls, plaintext, lockstep, eof;
	bool starting_tls; /* STLS was answered, the handshake is not done */
	bool challenged; /* the server waits for a response, and we for the caller */
	bool cancelled; /* "*" was sent: +OK would be a lie */
	bool holds_initial; /* held is the initial response, not yet sent */
	bool bare; /* the last line ended by LF alone */
	bool line_given; /* line was handed out, and is over now */
	const char *broken; /* NULL: it is not */
	struct outstanding queue[POP3_CLIENT_WINDOW_MAX];
	uint32_t first, count, window;
	uint64_t queued, sent; /* octets of output, ever */
	struct growing line; /* an unfinished line */
	struct growing out; /* what is to be sent, from out_off on */
	size_t out_off;
	struct growing held; /* the initial response */
	struct growing decoded; /* the challenge */
	struct pop3_client_capa capa;
	uint8_t timestamp[TIMESTAMP_MAX];
	size_t timestamp_len;
	struct receiving receiving;
	uint8_t block[CONTENT_BLOCK + 1];
};

void capa_reset(struct pop3_client_capa *capa);
void capa_line(struct pop3_client_capa *capa, struct pop3_slice line);

/* Appends base64 and CRLF to the output; false: nothing was. */
bool client_send_base64(struct pop3_client *c, const uint8_t *data, size_t len);
bool client_send_line(struct pop3_client *c, const void *line, size_t len);

/* A word up to SP or HT, and the rest behind the run of them. */
struct pop3_slice slice_word(struct pop3_slice *rest);

#endif
