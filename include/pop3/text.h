/*
 * text - response codes, and everything that a server ever says to a person, in each language.
 *
 * Codes: RFC 2449 section 8, RFC 3206, RFC 6856.  Languages: RFC 6856 section 3 (BCP 47 tags).
 * No text contains "[" or a control character, and each fits a reply line (P2449-42, P1939-06).
 */
#ifndef POP3_TEXT_H
#define POP3_TEXT_H

#include <pop3/base.h>

enum pop3_code {
	POP3_CODE_NONE,
	POP3_CODE_AUTH,
	POP3_CODE_IN_USE,
	POP3_CODE_LOGIN_DELAY,
	POP3_CODE_SYS_TEMP,
	POP3_CODE_SYS_PERM,
	POP3_CODE_UTF8,
};

enum pop3_lang { POP3_LANG_EN, POP3_LANG_I_DEFAULT, POP3_LANG_DE, POP3_LANGS };

enum pop3_text {
	POP3_TEXT_READY,	     /* greeting */
	POP3_TEXT_BYE,
	POP3_TEXT_OK,
	POP3_TEXT_UNKNOWN_COMMAND,
	POP3_TEXT_WRONG_STATE,
	POP3_TEXT_BAD_ARGUMENTS,
	POP3_TEXT_LINE_TOO_LONG,
	POP3_TEXT_TOO_MANY_BAD,
	POP3_TEXT_NO_SUCH_MESSAGE,
	POP3_TEXT_MESSAGE_UNREADABLE,
	POP3_TEXT_SEND_PASSWORD,     /* after USER */
	POP3_TEXT_USER_FIRST,
	POP3_TEXT_LOGIN_FAILED,
	POP3_TEXT_NEED_TLS,	     /* plaintext refused: the same at USER, PASS and AUTH */
	POP3_TEXT_NO_SUCH_MECHANISM,
	POP3_TEXT_CANCELLED,
	POP3_TEXT_BAD_BASE64,
	POP3_TEXT_BEGIN_TLS,
	POP3_TEXT_NO_STLS,
	POP3_TEXT_IN_USE,
	POP3_TEXT_TOO_SOON,	     /* LOGIN-DELAY */
	POP3_TEXT_TRY_LATER,	     /* SYS/TEMP */
	POP3_TEXT_ASK_ADMIN,	     /* SYS/PERM */
	POP3_TEXT_TOO_MANY_CONNECTIONS,
	POP3_TEXT_NOT_REMOVED,	     /* QUIT: some deleted messages not removed */
	POP3_TEXT_DELETED,
	POP3_TEXT_NEED_UTF8,
	POP3_TEXT_UTF8_ON,
	POP3_TEXT_LANGUAGE,	     /* LANG: changed */
	POP3_TEXT_NO_LANGUAGE,
	POP3_TEXT_MESSAGES,	     /* the word, behind a number */
	POP3_TEXT_OCTETS,	     /* likewise */
	POP3_TEXTS,
};

/* "[AUTH] " and so on with the space behind it; "" for NONE. */
POP3_API const char *pop3_code_string(enum pop3_code code);

POP3_API const char *pop3_text(enum pop3_lang lang, enum pop3_text text);

POP3_API const char *pop3_lang_tag(enum pop3_lang lang);
POP3_API const char *pop3_lang_name(enum pop3_lang lang); /* in itself: "Deutsch" */
/* The best language for an RFC 4647 basic range ("de-AT" finds "de"); -1 if there is none. */
POP3_API int pop3_lang_find(const char *range, size_t len);

/*
 * Reply lines.  Each needs POP3_REPLY_MAX of room, which the caller has seen to.
 * "+OK" SP text CRLF, "-ERR" SP [code] SP text CRLF, and with numbers as RFC 1939 asks.
 */
POP3_API void pop3_reply_ok(struct pop3_out *out, const char *text);
POP3_API void pop3_reply_err(struct pop3_out *out, enum pop3_code code, const char *text);
/* "+OK" with a text made from a format; cut to fit one line. */
POP3_API void pop3_reply_okf(struct pop3_out *out, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* One line "number SP size CRLF" or "number SP uid CRLF", as in a listing; needs 96 of room.
 * Made without printf: a listing of a million lines is made of these. */
POP3_API void pop3_reply_number(struct pop3_out *out, uint64_t number, uint64_t value);
POP3_API void pop3_reply_uid(struct pop3_out *out, uint64_t number, const char *uid);
POP3_API void pop3_reply_end(struct pop3_out *out); /* "." CRLF */

#endif
