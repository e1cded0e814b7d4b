/*
 * How large the messages of a Maildir are, whoever says so, and reading them.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "maildir_fixture.h"
#include "store/name.h"

static const struct store_ops *const store = &store_maildir;

static const struct content_case {
	const char *text;
	uint64_t octets;
	bool wire;
} content_cases[] = {
	{ "", 0, true },
	{ "a\r\n", 3, true },
	{ "a\n", 3, false },
	{ "a", 3, false }, /* the line end that is added counts */
	{ "a\r", 3, false },
	{ "a: b\n\nc\n", 11, false },
	{ "a: b\r\n\r\nc\r\n", 11, true },
	{ "a: b\r\n\r\nc", 11, false },
	{ ".\n..\n", 7, false }, /* dots that are added do not */
	{ ".\r\n", 3, false },
	{ "a\r\n.b\r\n", 7, false },
	{ "a\rb\n", 6, false },
	{ "\n\n\n", 6, false },
};

/* Holds: P1939-65 P1939-66 P1939-67 */
static void
sizes_are_those_of_the_wire(void **state)
{
	enum { N = sizeof content_cases / sizeof *content_cases };
	struct drop *d;

	(void)state;
	for (int i = 0; i < N; i++) {
		char path[40];

		(void)snprintf(path, sizeof path, "m/new/%d.a", 100 + i);
		put_text(path, content_cases[i].text);
	}
	d = must_open();
	assert_int_equal(store->count(d), N);
	for (uint32_t i = 0; i < N; i++) {
		struct message *m;
		struct fault f;

		assert_int_equal(store->size(d, i, true), content_cases[i].octets);
		assert_int_equal(store->size(d, i, false), content_cases[i].octets);
		assert_int_equal(store->message_open(d, i, &m, &f), 0);
		assert_int_equal(message_info(m)->wire, content_cases[i].wire);
		assert_false(message_info(m)->eight_bit);
		assert_int_equal(message_info(m)->stored, strlen(content_cases[i].text));
		message_close(&m);
	}
	store->close(d);
}

static const struct name_case {
	const char *name;
	size_t base;
	uint64_t seconds;
	uint32_t micros;
	bool has_wire;
	uint64_t wire;
} name_cases[] = {
	{ "", 0, 0, 0, false, 0 },
	{ "12.M34P5.h,S=10,W=12:2,S", 20, 12, 34, true, 12 },
	{ "12.h,W=12,S=10", 14, 12, 0, true, 12 },
	{ "12.h,W=12", 9, 12, 0, true, 12 },
	{ "12.h,S=10", 9, 12, 0, false, 0 },
	{ "12.h,W=9,S=10", 13, 12, 0, false, 0 }, /* shorter on the wire? */
	{ "12.h,W=10,S=10", 14, 12, 0, true, 10 },
	{ "12.h,W=22,S=10", 14, 12, 0, true, 22 },
	{ "12.h,W=23,S=10", 14, 12, 0, false, 0 }, /* more than all line ends */
	{ "12.h,W=2,S=0", 12, 12, 0, true, 2 },
	{ "12.h,W=:2,", 7, 12, 0, false, 0 },
	{ "12.h,W=5x", 9, 12, 0, false, 0 },
	{ "12.h,W=-5", 9, 12, 0, false, 0 },
	{ "12.h,W=+5", 9, 12, 0, false, 0 },
	{ "12.h,W=5x,W=6", 13, 12, 0, true, 6 },
	{ "12.h:2,W=5", 4, 12, 0, false, 0 },
	{ "12.h,w=5", 8, 12, 0, false, 0 },
	{ "12.h,W=99999999999999999999999", 30, 12, 0, false, 0 },
	{ "12.h,W=9223372036854775807", 26, 12, 0, false, 0 }, /* sums must not overflow */
	{ "12.h,W=281474976710656", 22, 12, 0, true, (uint64_t)1 << 48 },
	{ "12.h,W=281474976710657", 22, 12, 0, false, 0 },
	{ "99999999999999999999.M5.h", 25, 0, 0, false, 0 },
	{ "12.M1000000P1.h", 15, 12, 0, false, 0 },
	{ "12.M999999P1.h", 14, 12, 999999, false, 0 },
	{ "12M5.h", 6, 12, 0, false, 0 },
	{ "12.", 3, 12, 0, false, 0 },
	{ "12.M", 4, 12, 0, false, 0 },
	{ "M5.h", 4, 0, 0, false, 0 },
	{ "-12.h", 5, 0, 0, false, 0 },
	{ ",W=", 3, 0, 0, false, 0 },
	{ ",W=7", 4, 0, 0, true, 7 },
};

static void
names_are_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof name_cases / sizeof *name_cases; i++) {
		const struct name_case *c = &name_cases[i];
		struct name n;

		name_parse(c->name, &n);
		if (n.base != c->base || n.seconds != c->seconds || n.micros != c->micros ||
		    n.has_wire != c->has_wire || (c->has_wire && n.wire != c->wire))
			fail_msg("\"%s\"", c->name);
	}
	assert_true(name_wire_possible(UINT64_MAX, UINT64_MAX));
	assert_true(name_wire_possible(UINT64_MAX, UINT64_MAX / 2));
	assert_false(name_wire_possible(UINT64_MAX, UINT64_MAX / 2 - 1));
	assert_false(name_wire_possible(0, UINT64_MAX));
}

static uint64_t
only_size(void)
{
	struct drop *d = must_open();
	uint64_t size;

	assert_int_equal(store->count(d), 1);
	size = store->size(d, 0, true);
	assert_int_equal(store->size(d, 0, false), size);
	store->close(d);
	return size;
}

static void
a_size_in_the_name_is_believed_unread(void **state)
{
	(void)state;
	put_text("m/cur/1.a,S=4,W=6:2,", "a\nb\n");
	assert_int_equal(only_size(), 6);
	assert_int_equal(trouble.octets_read, 0);
}

static void
one_that_cannot_be_is_not(void **state)
{
	(void)state;
	put_text("m/cur/1.a,S=4,W=3:2,", "a\nb\n");
	assert_int_equal(only_size(), 6);
	assert_int_equal(trouble.octets_read, 4);
}

/* Opens the only message; gives its size before and after. */
static void
check_corrected(const char *path, const char *text, uint64_t before, uint64_t after)
{
	struct message *m;
	struct drop *d;
	struct fault f;

	put_text(path, text);
	d = must_open();
	assert_int_equal(store->count(d), 1);
	assert_int_equal(store->size(d, 0, true), before);
	assert_int_equal(store->message_open(d, 0, &m, &f), 0);
	assert_int_equal(message_info(m)->stored, strlen(text));
	assert_int_equal(store->size(d, 0, true), after);
	message_close(&m);
	store->close(d);
	remove_file(path);
}

/* Holds: P1939-65 P1939-67 P1939-68 */
static void
a_size_that_the_file_refutes_is_corrected_when_it_is_opened(void **state)
{
	(void)state;
	check_corrected("m/cur/1.a,W=6:2,", "a\nb\n", 6, 6);
	check_corrected("m/cur/1.a,W=3:2,", "a\nb\n", 3, 6);
	check_corrected("m/cur/1.a,W=1000:2,", "a\nb\n", 1000, 6);
	/* some who write it forget the line end that is added */
	check_corrected("m/cur/1.a,S=3,W=4:2,", "a\nb", 4, 6);
	check_corrected("m/cur/1.a,W=2", "", 2, 2);
}

/* uidlist, and what the message is then said to measure (it has 6 octets in truth) */
static const struct uidlist_case {
	const char *text;
	uint64_t size;
} uidlist_cases[] = {
	{ "3 V1 N2 G0\n1 W7 :1.a\n", 7 },
	{ "3 V1 N2 G0\n1 W7 :1.a:2,S\n", 7 },
	{ "3 V1 N2 G0\n1 S4 W7 Pxyz :1.a\n", 7 },
	{ "3 V1 N2 G0\n1   W7  :1.a\n", 7 },
	{ "3 V1 N2\n1 W99 :0.a\n2 W7 :1.a\n3 W98 :1.b\n", 7 },
	{ "3 V1 N2\n1 :1.a\n", 6 },
	{ "3 V1 N2\n1 W7 :1.a", 6 }, /* being written */
	{ "3 V1 N2\n1 W7 :1.a:", 6 },
	{ "3 V1 N2\n1 W7 :1.ab\n2 W7 :1.\n3 W7 :\n", 6 },
	{ "3 V1 N2\n1 S8 W7 :1.a\n", 6 }, /* cannot be */
	{ "3 V1 N2\n1 W9223372036854775807 :1.a\n", 6 },
	{ "3 V1 N2\n1 W :1.a\n2 W-7 :1.a\n3 W7x :1.a\n", 6 },
	{ "3 V1 N2\n1 W7 1.a\n", 6 },
	{ "3 V1 N2\nW7 :1.a\n W7 :1.a\nx W7 :1.a\n", 6 },
	{ "3 V1 N2", 6 },
	{ "1 1 2\n1 W7 :1.a\n", 6 }, /* another version */
	{ "2 V1 N2\n1 W7 :1.a\n", 6 },
	{ "3\n1 W7 :1.a\n", 6 },
	{ "\n\n\n", 6 },
	{ "", 6 },
	{ "3 V1\n:\n :\n: :\n1 \n  \n1 W7 :1.a\n", 7 },
	{ "3 V1\n\xff\xfe\x01\n1 W7 :1.a\n", 7 },
};

static void
sizes_come_from_the_uidlist_next(void **state)
{
	(void)state;
	put_text("m/cur/1.a:2,", "a\nb\n");
	for (size_t i = 0; i < sizeof uidlist_cases / sizeof *uidlist_cases; i++) {
		uint64_t before;

		put_text("m/dovecot-uidlist", uidlist_cases[i].text);
		before = picture();
		if (only_size() != uidlist_cases[i].size)
			fail_msg("case %zu: %s", i, uidlist_cases[i].text);
		assert_true(picture() == before); /* never written, never removed */
	}
}

static void
but_not_when_the_name_has_one(void **state)
{
	struct drop *d;

	(void)state;
	put_text("m/cur/1.a,W=6:2,", "a\nb\n");
	put_text("m/cur/2.b:2,", "a\nb\n");
	put_text("m/dovecot-uidlist", "3 V1 N2\n1 W7 :1.a,W=6\n2 W8 :2.b\n");
	d = must_open();
	assert_int_equal(store->size(d, 0, true), 6);
	assert_int_equal(store->size(d, 1, true), 8);
	store->close(d);
}

/* Lines as long as anybody likes, zeros, and more than we care to read. */
static void
a_uidlist_of_any_kind_costs_little(void **state)
{
	size_t len = 3 << 20;
	char *text = malloc(len);
	int fd;

	(void)state;
	assert_non_null(text);
	put_text("m/cur/1.a:2,", "a\nb\n");
	memset(text, 'W', len);
	memcpy(text, "3 V1\n", 5);
	memcpy(text + len - 25, " :1.a\n2 W8 :9.z\n1 W7 :1.a\n", 25);
	put("m/dovecot-uidlist", text, len);
	assert_int_equal(only_size(), 6); /* its last line has no end */
	memset(text + 5, 'W', len - 5);
	for (size_t i = 1; i < 5000; i++) { /* wherever we cut it, the end of a line is no line */
		char *end = text + 5 + i;

		remove_file("m/dovecot-uidlist"); /* faster than a new end for an old file */
		memcpy(end, "1 W7 :1.a\n", 10);
		put("m/dovecot-uidlist", text, 5 + i + 10);
		assert_int_equal(only_size(), 6);
		memset(end, 'W', 10);
	}
	memcpy(text + len - 26, "\n2 W8 :9.z\n2 :\n1 W7 :1.a\n", 26);
	text[len - 1] = '\n';
	put("m/dovecot-uidlist", text, len);
	assert_int_equal(only_size(), 7);
	memset(text + 5, 0, len - 100);
	put("m/dovecot-uidlist", text, len);
	assert_int_equal(only_size(), 7);
	free(text);
	/* a hole of a terabyte is not read to its end */
	put_text("m/dovecot-uidlist", "3 V1\n");
	fd = openat(root, "m/dovecot-uidlist", O_WRONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
	(void)close(fd);
	assert_int_equal(only_size(), 6);
	remove_file("m/dovecot-uidlist");
	/* nor what is no file */
	assert_int_equal(mkfifoat(root, "m/dovecot-uidlist", 0644), 0);
	assert_int_equal(only_size(), 6);
	remove_file("m/dovecot-uidlist");
	put_text("uidlist", "3 V1\n1 W7 :1.a\n");
	assert_int_equal(symlinkat("../uidlist", root, "m/dovecot-uidlist"), 0);
	assert_int_equal(only_size(), 6);
	remove_file("m/dovecot-uidlist");
	assert_int_equal(mkdirat(root, "m/dovecot-uidlist", 0755), 0);
	assert_int_equal(only_size(), 6);
}

/* Holds: P6856-06 */
static void
eight_bit_headers_have_the_size_of_what_is_sent(void **state)
{
	static const char header[] = "Subject: caf\xc3\xa9\r\n\r\nx\r\n",
			  body[] = "Subject: cafe\n\n\xc3\xa9\n";
	struct message *m;
	struct drop *d;
	struct fault f;

	(void)state;
	put_text("m/cur/1.a:2,", header);
	put_text("m/cur/2.a:2,", body);
	d = must_open();
	assert_int_equal(store->size(d, 0, true), sizeof header - 1);
	/* an encoded word in its place */
	assert_true(store->size(d, 0, false) > sizeof header - 1);
	assert_int_equal(store->size(d, 1, true), sizeof body - 1 + 3);
	assert_int_equal(store->size(d, 1, false), sizeof body - 1 + 3);
	assert_int_equal(store->message_open(d, 0, &m, &f), 0);
	assert_true(message_info(m)->eight_bit);
	assert_true(message_info(m)->wire);
	message_close(&m);
	store->close(d);
}

/* What is not known is not claimed: neither wire form nor seven bits. */
static void
an_unread_message_may_be_anything(void **state)
{
	struct message *m;
	struct drop *d;
	struct fault f;

	(void)state;
	put_text("m/cur/1.a,W=3:2,", "a\r\n");
	d = must_open();
	assert_int_equal(store->message_open(d, 0, &m, &f), 0);
	assert_false(message_info(m)->wire);
	assert_true(message_info(m)->eight_bit);
	message_close(&m);
	store->close(d);
}

/* Written over after it was measured: it must not pass for wire form any more. */
static void
a_rewritten_message_is_measured_again(void **state)
{
	struct stat before, after;
	struct message *m;
	struct drop *d;
	struct fault f;
	int fd;

	(void)state;
	put_text("m/cur/1.a:2,", "a\r\nbcd\r\n");
	d = must_open();
	assert_int_equal(store->message_open(d, 0, &m, &f), 0);
	assert_true(message_info(m)->wire);
	message_close(&m);
	fd = openat(root, "m/cur/1.a:2,", O_WRONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	assert_int_equal(fstat(fd, &before), 0);
	do { /* the clock of files ticks, sooner or later */
		assert_int_equal(pwrite(fd, "a\r\n.\r\n\xe9\n", 8, 0), 8);
		assert_int_equal(fstat(fd, &after), 0);
	} while (after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
		 after.st_ctim.tv_nsec == before.st_ctim.tv_nsec);
	(void)close(fd);
	assert_int_equal(store->message_open(d, 0, &m, &f), 0);
	assert_false(message_info(m)->wire);
	assert_true(message_info(m)->eight_bit);
	assert_int_equal(store->size(d, 0, true), 9);
	message_close(&m);
	store->close(d);
}

/* Holds: P1939-82 */
static void
a_message_that_cannot_be_read_costs_only_itself(void **state)
{
	struct drop *d;
	const char *why;

	(void)state;
	put_text("m/new/1.a", "a\n");
	put_text("m/new/2.b", "a\n");
	put_text("m/new/3.c", "a\n");
	assert_int_equal(fchmodat(root, "m/new/2.b", 0, 0), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	d = must_open();
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_string_equal(all_uids(d), "1.a 3.c ");
	assert_int_equal(store->skipped(d, &why), 1);
	assert_string_equal(why, "\"2.b\": Permission denied");
	store->close(d);
	trouble.read_errno = EIO;
	d = must_open();
	assert_int_equal(store->count(d), 0);
	assert_int_equal(store->skipped(d, &why), 3);
	assert_string_equal(why, "\"1.a\": Input/output error");
	store->close(d);
	/* but when we are at our limits, it is not the message's fault */
	trouble.read_errno = ENOMEM;
	must_not_open(FAULT_TEMP);
}

/* Renamed or gone between the scan and the reading of sizes. */
static void
rename_after_scan(int fd, int n, bool after)
{
	static ino_t done;
	struct stat st;

	(void)n;
	assert_int_equal(fstat(fd, &st), 0);
	if (!after || done == st.st_ino || !is_folder(fd, "m/cur") || lseek(fd, 0, SEEK_CUR) == 0 ||
	    !exists("m/new/1.a"))
		return;
	done = st.st_ino;
	rename_file("m/new/1.a", "m/cur/1.a:2,");
	remove_file("m/new/2.b");
	rename_file("m/new/4.d", "m/cur/4.d:2,FS");
	set_age("m/new", 3600);
	set_age("m/cur", 3600);
}

static void
sizes_find_messages_that_were_renamed(void **state)
{
	struct drop *d;

	(void)state;
	put_text("m/new/1.a", "a\n");
	put_text("m/new/2.b", "a\n");
	put_text("m/new/3.c", "a\n");
	put_text("m/new/4.d", "abc\n");
	set_age("m/new", 3600);
	set_age("m/cur", 3600);
	trouble.folder_read = rename_after_scan;
	d = must_open();
	assert_string_equal(all_uids(d), "1.a 3.c 4.d ");
	assert_int_equal(store->size(d, 2, true), 5);
	assert_int_equal(store->skipped(d, &(const char *){ NULL }), 0);
	store->close(d);
}

/* Holds: P1939-69 */
static void
a_message_is_read_at_any_offset(void **state)
{
	struct message *m;
	struct drop *d;
	struct fault f;
	char buf[16];

	(void)state;
	put("m/new/1.a", "ab\0cd\n", 6);
	d = must_open();
	assert_int_equal(store->message_open(d, 0, &m, &f), 0);
	assert_int_equal(message_info(m)->stored, 6);
	for (uint64_t at = 0; at <= 6; at++) {
		assert_int_equal(message_read(m, at, buf, sizeof buf, &f), 6 - at);
		assert_memory_equal(buf, &"ab\0cd\n"[at], 6 - at);
	}
	assert_int_equal(message_read(m, 7, buf, sizeof buf, &f), 0);
	assert_int_equal(message_read(m, UINT64_MAX, buf, sizeof buf, &f), 0);
	assert_int_equal(message_read(m, 1, buf, 2, &f), 2);
	message_close(&m);
	assert_null(m);
	message_close(&m);
	store->close(d);
}

/* Holds: P1939-69 */
static void
a_message_that_shrinks_is_a_fault_and_not_an_end(void **state)
{
	struct message *m;
	struct drop *d;
	struct fault f = { 0 };
	char buf[16];

	(void)state;
	put_text("m/new/1.a", "0123456789\n");
	d = must_open();
	assert_int_equal(store->message_open(d, 0, &m, &f), 0);
	assert_int_equal(message_read(m, 0, buf, 4, &f), 4);
	put_text("m/new/1.a", "0123456");
	assert_int_equal(message_read(m, 4, buf, sizeof buf, &f), 3);
	assert_int_equal(message_read(m, 7, buf, sizeof buf, &f), -1);
	assert_int_equal(f.kind, FAULT_TEMP);
	trouble.read_errno = EIO;
	f = (struct fault){ 0 };
	assert_int_equal(message_read(m, 0, buf, sizeof buf, &f), -1);
	assert_int_equal(f.kind, FAULT_TEMP);
	assert_non_null(strstr(f.text, "Input/output error"));
	message_close(&m);
	store->close(d);
}

/* Holds: P1939-38 */
static void
what_is_appended_later_is_not_read(void **state)
{
	struct message *m;
	struct drop *d;
	struct fault f;
	char buf[16];

	(void)state;
	put_text("m/new/1.a", "0123\n");
	d = must_open();
	assert_int_equal(store->message_open(d, 0, &m, &f), 0);
	put_text("m/new/1.a", "0123\n456\n");
	assert_int_equal(message_read(m, 0, buf, sizeof buf, &f), 5);
	assert_int_equal(message_read(m, 5, buf, sizeof buf, &f), 0);
	message_close(&m);
	store->close(d);
}

static void
check_open_fails(struct drop *d, uint32_t i, enum fault_kind kind)
{
	struct message *m = NULL;
	struct fault f = { 0 };

	assert_int_equal(store->message_open(d, i, &m, &f), -1);
	assert_int_equal(f.kind, kind);
	assert_null(m);
}

/* Holds: P1939-38 */
static void
messages_are_found_under_their_new_names(void **state)
{
	struct message *m;
	struct drop *d;
	struct fault f;
	char buf[16];
	int reads;

	(void)state;
	put_text("m/new/1.a", "one\n");
	put_text("m/new/2.b", "two\n");
	put_text("m/cur/3.c:2,", "three\n");
	put_text("m/cur/4.d:2,", "four\n");
	put_text("m/cur/5.e:2,", "five\n");
	d = must_open();
	set_age("m/new", 3600);
	rename_file("m/new/1.a", "m/cur/1.a:2,S");
	remove_file("m/new/2.b");
	rename_file("m/cur/3.c:2,", "m/cur/3.c:2,RS");
	rename_file("m/cur/4.d:2,", "m/new/4.d");
	set_age("m/new", 3600);
	set_age("m/cur", 3600);
	check_open_fails(d, 1, FAULT_GONE);
	reads = trouble.folder_reads;
	check_open_fails(d, 1, FAULT_GONE);
	assert_string_equal(all_uids(d), "1.a 2.b 3.c 4.d 5.e "); /* numbers stay */
	for (uint32_t i = 0; i < 5; i++) {
		static const char *const texts[] = { "one\n", "", "three\n", "four\n", "five\n" };

		if (i == 1)
			continue;
		assert_int_equal(store->message_open(d, i, &m, &f), 0);
		assert_int_equal(message_read(m, 0, buf, sizeof buf, &f), strlen(texts[i]));
		assert_memory_equal(buf, texts[i], strlen(texts[i]));
		message_close(&m);
	}
	assert_int_equal(trouble.folder_reads, reads); /* one look found all */
	store->close(d);
}

static void
what_stands_in_place_of_a_message_is_not_opened(void **state)
{
	struct drop *d;

	(void)state;
	put_text("m/new/1.a,W=3", "a\n");
	put_text("m/new/2.b,W=3", "a\n");
	put_text("m/new/3.c,W=3", "a\n");
	put_text("secret", "not mail\n");
	d = must_open();
	remove_file("m/new/1.a,W=3");
	remove_file("m/new/2.b,W=3");
	remove_file("m/new/3.c,W=3");
	assert_int_equal(symlinkat("../../secret", root, "m/new/1.a,W=3"), 0);
	assert_int_equal(mkfifoat(root, "m/new/2.b,W=3", 0644), 0);
	assert_int_equal(mkdirat(root, "m/new/3.c,W=3", 0755), 0);
	check_open_fails(d, 0, FAULT_PERM);
	check_open_fails(d, 1, FAULT_PERM);
	check_open_fails(d, 2, FAULT_PERM);
	/* the folder itself */
	rename_file("m/new", "m/old");
	assert_int_equal(symlinkat("old", root, "m/new"), 0);
	check_open_fails(d, 0, FAULT_PERM);
	store->close(d);
}

/* It arrived when the later of the name and the file says. */
static void
arrival(void **state)
{
	struct timespec at[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct drop *d;

	(void)state;
	put_text("m/new/500.a,W=3", "a\n");
	put_text("m/new/2000.b,W=3", "a\n");
	put_text("m/new/3000.c,W=3", "a\n");
	assert_int_equal(utimensat(root, "m/new/500.a,W=3", at, 0), 0);
	assert_int_equal(utimensat(root, "m/new/2000.b,W=3", at, 0), 0);
	d = must_open();
	assert_true(store->arrived(d, 0) == 1000);
	assert_true(store->arrived(d, 1) == 2000);
	remove_file("m/new/3000.c,W=3");
	assert_true(store->arrived(d, 2) == INT64_MAX); /* nothing expires that cannot be asked */
	store->close(d);
}

/* Holds: P1939-65 */
static void
sizes_pass_four_gibioctets(void **state)
{
	struct message *m;
	struct drop *d;
	struct fault f;
	uint8_t buf[4];
	int fd;

	(void)state;
	put_text("m/cur/1.a,S=5000000000,W=5000000001:2,", "");
	fd = openat(root, "m/cur/1.a,S=5000000000,W=5000000001:2,", O_WRONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	assert_int_equal(pwrite(fd, "x\n", 2, 4999999998), 2);
	(void)close(fd);
	d = must_open();
	assert_true(store->size(d, 0, true) == 5000000001);
	assert_int_equal(store->message_open(d, 0, &m, &f), 0);
	assert_true(message_info(m)->stored == 5000000000);
	assert_int_equal(message_read(m, 4999999998, buf, sizeof buf, &f), 2);
	assert_memory_equal(buf, "x\n", 2);
	assert_true(trouble.octets_read < 10); /* what fits is not measured */
	message_close(&m);
	store->close(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, maildir_setup, maildir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sizes_are_those_of_the_wire),
		TEST(names_are_taken_apart),
		TEST(a_size_in_the_name_is_believed_unread),
		TEST(one_that_cannot_be_is_not),
		TEST(a_size_that_the_file_refutes_is_corrected_when_it_is_opened),
		TEST(sizes_come_from_the_uidlist_next),
		TEST(but_not_when_the_name_has_one),
		TEST(a_uidlist_of_any_kind_costs_little),
		TEST(eight_bit_headers_have_the_size_of_what_is_sent),
		TEST(an_unread_message_may_be_anything),
		TEST(a_rewritten_message_is_measured_again),
		TEST(a_message_that_cannot_be_read_costs_only_itself),
		TEST(sizes_find_messages_that_were_renamed),
		TEST(a_message_is_read_at_any_offset),
		TEST(a_message_that_shrinks_is_a_fault_and_not_an_end),
		TEST(what_is_appended_later_is_not_read),
		TEST(messages_are_found_under_their_new_names),
		TEST(what_stands_in_place_of_a_message_is_not_opened),
		TEST(arrival),
		TEST(sizes_pass_four_gibioctets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
