/*
 * content - a message between its stored form and the wire (RFC 1939 sections 3, 7 and 11).
 *
 * Stored messages end lines by LF, CRLF or CR, in any mixture, and may lack the last line end.
 * On the wire each line ends by CRLF, a line that begins with "." gets one more in front, and a
 * line "." ends the message.  All of it works on blocks; no result depends on how they are cut.
 */
#ifndef POP3_CONTENT_H
#define POP3_CONTENT_H

#include <pop3/base.h>

/*
 * Stored form -> wire form.  Start: pop3_stuff_init().  State is small, plain data: it may be
 * copied to remember a position, and put back to go on from there.
 */
struct pop3_stuff {
	uint8_t at;	    /* where in a line */
	uint8_t part;	    /* header, separator, body */
	bool done;	    /* TOP: the asked-for lines are out */
	bool limited;
	uint64_t lines;	    /* body lines still wanted */
};

/* A whole message, or (TOP) the header, the separator line and then lines body lines. */
POP3_API void pop3_stuff_init(struct pop3_stuff *st);
POP3_API void pop3_stuff_init_top(struct pop3_stuff *st, uint64_t lines);

/*
 * Encodes from in[0..len) into out as much as fits; *ret_used says how much of in that was.
 * Returns false when nothing more is wanted (TOP is satisfied): stop reading.  An octet of
 * input needs at most 3 octets of room ("\r\n" and a dot); progress is made whenever 4 are free.
 */
POP3_API bool pop3_stuff(struct pop3_stuff *st, const uint8_t *in, size_t len, size_t *ret_used,
    struct pop3_out *out);

/* The end of the message: the line end if it lacks one, the separator if TOP found none, then
 * ".\r\n".  Needs 16 octets of room. */
POP3_API void pop3_stuff_end(struct pop3_stuff *st, struct pop3_out *out);

/*
 * What a message measures: octets on the wire without stuffing and without the final dot
 * (P1939-65 to 68), and what decides how it can be sent.
 */
struct pop3_measure {
	uint64_t octets;	/* so far; right after pop3_measure_end() */
	uint64_t header;	/* octets of stored form up to and with the separator line */
	bool wire;		/* every line ended by CRLF, the last one too, and none began with
				   ".": could be sent as it is */
	bool eight_bit;		/* an octet >= 0x80 somewhere */
	uint8_t at, part;	/* private */
};
POP3_API void pop3_measure_init(struct pop3_measure *m);
POP3_API void pop3_measure(struct pop3_measure *m, const uint8_t *in, size_t len);
POP3_API void pop3_measure_end(struct pop3_measure *m);

/* Wire form -> content: the receiving side.  A bare LF begins no line. */
enum pop3_undot {
	POP3_UNDOT_BOL,		/* start here: beginning of a line */
	POP3_UNDOT_DOT,		/* "." began the line: stuffing, or the end? */
	POP3_UNDOT_DOT_CR,	/* ".\r" began it */
	POP3_UNDOT_TEXT,
	POP3_UNDOT_TEXT_CR,
	POP3_UNDOT_END,		/* ".\r\n" seen; what follows is not ours */
};

/*
 * Decodes in[0..len) into out, which has room for len + 1 octets; *ret_len says how many it got.
 * Returns the input octets used, fewer than len only if the end was reached.
 */
POP3_API size_t pop3_undot(enum pop3_undot *st, const uint8_t *in, size_t len, uint8_t *out,
    size_t *ret_len);

#endif
