#include <pop3/text.h>

#include <string.h>
#include <strings.h>

/* en and i-default are the same words: RFC 2277 asks for a default that is meant for everybody,
 * and English is that. */
static const char *const english[POP3_TEXTS] = {
	[POP3_TEXT_READY] = "Restante ready",
	[POP3_TEXT_BYE] = "bye",
	[POP3_TEXT_OK] = "done",
	[POP3_TEXT_UNKNOWN_COMMAND] = "unknown command",
	[POP3_TEXT_WRONG_STATE] = "not now",
	[POP3_TEXT_BAD_ARGUMENTS] = "bad arguments",
	[POP3_TEXT_LINE_TOO_LONG] = "line too long",
	[POP3_TEXT_TOO_MANY_BAD] = "too many bad commands",
	[POP3_TEXT_NO_SUCH_MESSAGE] = "no such message",
	[POP3_TEXT_MESSAGE_UNREADABLE] = "the message cannot be read now",
	[POP3_TEXT_SEND_PASSWORD] = "send the password",
	[POP3_TEXT_USER_FIRST] = "USER first",
	[POP3_TEXT_LOGIN_FAILED] = "login failed",
	[POP3_TEXT_NEED_TLS] = "plaintext passwords need TLS",
	[POP3_TEXT_NO_SUCH_MECHANISM] = "no such mechanism",
	[POP3_TEXT_CANCELLED] = "cancelled",
	[POP3_TEXT_BAD_BASE64] = "not base64",
	[POP3_TEXT_BEGIN_TLS] = "begin TLS",
	[POP3_TEXT_NO_STLS] = "no TLS to start",
	[POP3_TEXT_IN_USE] = "the maildrop is open in another session",
	[POP3_TEXT_TOO_SOON] = "logged in too recently",
	[POP3_TEXT_TRY_LATER] = "try again later",
	[POP3_TEXT_ASK_ADMIN] = "ask your administrator",
	[POP3_TEXT_TOO_MANY_CONNECTIONS] = "too many connections",
	[POP3_TEXT_NOT_REMOVED] = "some deleted messages not removed",
	[POP3_TEXT_DELETED] = "marked deleted",
	[POP3_TEXT_NEED_UTF8] = "the message needs UTF-8 mode",
	[POP3_TEXT_UTF8_ON] = "UTF-8 mode",
	[POP3_TEXT_LANGUAGE] = "language changed",
	[POP3_TEXT_NO_LANGUAGE] = "no such language",
	[POP3_TEXT_MESSAGES] = "messages",
	[POP3_TEXT_OCTETS] = "octets",
};

static const char *const german[POP3_TEXTS] = {
	[POP3_TEXT_READY] = "Restante bereit",
	[POP3_TEXT_BYE] = "auf Wiedersehen",
	[POP3_TEXT_OK] = "erledigt",
	[POP3_TEXT_UNKNOWN_COMMAND] = "unbekannter Befehl",
	[POP3_TEXT_WRONG_STATE] = "jetzt nicht m\xc3\xb6glich",
	[POP3_TEXT_BAD_ARGUMENTS] = "falsche Angaben",
	[POP3_TEXT_LINE_TOO_LONG] = "Zeile zu lang",
	[POP3_TEXT_TOO_MANY_BAD] = "zu viele falsche Befehle",
	[POP3_TEXT_NO_SUCH_MESSAGE] = "keine solche Nachricht",
	[POP3_TEXT_MESSAGE_UNREADABLE] = "die Nachricht ist jetzt nicht lesbar",
	[POP3_TEXT_SEND_PASSWORD] = "das Passwort bitte",
	[POP3_TEXT_USER_FIRST] = "zuerst USER",
	[POP3_TEXT_LOGIN_FAILED] = "Anmeldung fehlgeschlagen",
	[POP3_TEXT_NEED_TLS] = "Passw\xc3\xb6rter im Klartext nur mit TLS",
	[POP3_TEXT_NO_SUCH_MECHANISM] = "kein solches Verfahren",
	[POP3_TEXT_CANCELLED] = "abgebrochen",
	[POP3_TEXT_BAD_BASE64] = "kein base64",
	[POP3_TEXT_BEGIN_TLS] = "TLS beginnt",
	[POP3_TEXT_NO_STLS] = "TLS nicht m\xc3\xb6glich",
	[POP3_TEXT_IN_USE] = "das Postfach ist in einer anderen Sitzung offen",
	[POP3_TEXT_TOO_SOON] = "zu bald nach der letzten Anmeldung",
	[POP3_TEXT_TRY_LATER] = "bitte sp\xc3\xa4ter noch einmal",
	[POP3_TEXT_ASK_ADMIN] = "bitte den Verwalter fragen",
	[POP3_TEXT_TOO_MANY_CONNECTIONS] = "zu viele Verbindungen",
	[POP3_TEXT_NOT_REMOVED] = "einige gel\xc3\xb6schte Nachrichten wurden nicht entfernt",
	[POP3_TEXT_DELETED] = "zum L\xc3\xb6schen vorgemerkt",
	[POP3_TEXT_NEED_UTF8] = "die Nachricht braucht UTF-8",
	[POP3_TEXT_UTF8_ON] = "UTF-8 an",
	[POP3_TEXT_LANGUAGE] = "Sprache gewechselt",
	[POP3_TEXT_NO_LANGUAGE] = "Sprache unbekannt",
	[POP3_TEXT_MESSAGES] = "Nachrichten",
	[POP3_TEXT_OCTETS] = "Oktette",
};

static const struct {
	const char *tag, *name;
	const char *const *texts;
} languages[POP3_LANGS] = {
	[POP3_LANG_EN] = { "en", "English", english },
	[POP3_LANG_I_DEFAULT] = { "i-default", "English", english },
	[POP3_LANG_DE] = { "de", "Deutsch", german },
};

static const char *const codes[] = {
	[POP3_CODE_NONE] = "",
	[POP3_CODE_AUTH] = "[AUTH] ",
	[POP3_CODE_IN_USE] = "[IN-USE] ",
	[POP3_CODE_LOGIN_DELAY] = "[LOGIN-DELAY] ",
	[POP3_CODE_SYS_TEMP] = "[SYS/TEMP] ",
	[POP3_CODE_SYS_PERM] = "[SYS/PERM] ",
	[POP3_CODE_UTF8] = "[UTF8] ",
};

const char *
pop3_code_string(enum pop3_code code)
{
	return codes[code];
}

const char *
pop3_text(enum pop3_lang lang, enum pop3_text text)
{
	return languages[lang].texts[text];
}

const char *
pop3_lang_tag(enum pop3_lang lang)
{
	return languages[lang].tag;
}

const char *
pop3_lang_name(enum pop3_lang lang)
{
	return languages[lang].name;
}

/* RFC 4647, 3.4 (lookup): the range, then the range with subtags cut off its end. */
int
pop3_lang_find(const char *range, size_t len)
{
	while (len > 0) {
		for (int i = 0; i < POP3_LANGS; i++)
			if (strlen(languages[i].tag) == len &&
			    strncasecmp(languages[i].tag, range, len) == 0)
				return i;
		while (len > 0 && range[len - 1] != '-')
			len--;
		if (len > 0)
			len--;
	}
	return -1;
}
