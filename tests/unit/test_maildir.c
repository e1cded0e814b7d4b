/*
 * The snapshot of a Maildir: what is a message, in which order, under which unique-id, while others
 * rename it under our hands.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "maildir_fixture.h"
#include "store/name.h"

static const struct store_ops *const store = &store_maildir;

static void
a_maildrop_that_does_not_exist_is_empty(void **state)
{
	struct drop *d, *e;
	struct fault f;
	uint64_t before;
	uint32_t removed = 9;
	uint8_t none = 0;

	(void)state;
	before = picture();
	assert_int_equal(store->open(root, "nobody/here", &d, &f), 0);
	assert_int_equal(store->open(root, "nobody/here", &e, &f), 0); /* nothing to lock */
	assert_int_equal(store->count(d), 0);
	assert_int_equal(store->remove(d, &none, &removed, &f), 0);
	assert_int_equal(removed, 0);
	store->close(d);
	store->close(e);
	assert_true(picture() == before);
}

/* Holds: P1939-63 */
static void
an_empty_maildrop_has_no_messages(void **state)
{
	struct drop *d = must_open();
	const char *why;

	(void)state;
	assert_int_equal(store->count(d), 0);
	assert_int_equal(store->skipped(d, &why), 0);
	assert_string_equal(why, "");
	store->close(d);
	assert_int_equal(unlinkat(root, "m/new", AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(root, "m/cur", AT_REMOVEDIR), 0);
	d = must_open();
	assert_int_equal(store->count(d), 0);
	store->close(d);
}

static const char *const in_order[] = {
	"m/cur/notanumber:2,S", /* no number: 0, then by name */
	"m/new/x",
	"m/cur/9.M5P1.h:2,",
	"m/new/10.P1Q1.h",
	"m/cur/10.M0P1.g", /* the same, but for the name */
	"m/new/10.M9P1.h",
	"m/new/10.M10P1.h",
	"m/cur/10.M10P2.h:2,RS",
	"m/new/1700000000.M1P1.h",
	"m/new/9223372036854775807.a",
};

/* Holds: P1939-37 P1939-80 */
static void
order_is_by_arrival_then_name(void **state)
{
	size_t n = sizeof in_order / sizeof *in_order;

	(void)state;
	for (size_t i = 0; i < n; i++)
		put_text(in_order[(i * 7 + 3) % n], "\n");
	for (int again = 0; again < 2; again++) {
		struct drop *d = must_open();

		assert_int_equal(store->count(d), n);
		assert_string_equal(all_uids(d),
		    "notanumber x 9.M5P1.h 10.M0P1.g 10.P1Q1.h 10.M9P1.h 10.M10P1.h 10.M10P2.h "
		    "1700000000.M1P1.h 9223372036854775807.a ");
		store->close(d);
	}
}

/* Holds: P1939-81 P1939-82 P1939-85 */
static void
unique_ids_are_names_or_their_digests(void **state)
{
	char longest[] = "1700000000.M1P1.012345678901234567890123456789012345678901234567890123",
	     path[300], long_name[256];
	struct drop *d;

	(void)state;
	assert_int_equal(strlen(longest), 70);
	(void)snprintf(path, sizeof path, "m/new/%s", longest);
	put_text(path, "a\n");
	(void)snprintf(path, sizeof path, "m/new/%s2", longest);
	put_text(path, "a\n");
	put_text("m/cur/with space:2,", "a\n");
	put_text("m/cur/caf\xc3\xa9:2,", "a\n");
	put_text("m/cur/\x01\n\x7f\xff", "a\n");
	put_text("m/cur/:2,S", "a\n");
	memset(long_name, 'n', 255);
	long_name[255] = '\0';
	(void)snprintf(path, sizeof path, "m/cur/%s", long_name);
	put_text(path, "a\n");
	d = must_open();
	assert_int_equal(store->count(d), 7);
	assert_int_not_equal(find_uid(d, longest), -1);
	/* printf 'with space' | sha256sum; the empty name's is that of no octets */
	assert_int_not_equal(
	    find_uid(d, "b8b8f25a5fc711caea1cfebfe02359e3ce2b9a8f9ce02d18fdcb1ba47ff095f1"), -1);
	assert_int_not_equal(
	    find_uid(d, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"), -1);
	for (uint32_t i = 0; i < 7; i++) {
		char uid[STORE_UID_MAX + 1];

		store->uid(d, i, uid);
		assert_in_range(strlen(uid), 1, 70);
		for (const char *p = uid; *p != '\0'; p++)
			assert_in_range(*p, 0x21, 0x7e);
		assert_int_equal(find_uid(d, uid), i);
	}
	store->close(d);
}

/* Holds: P1939-82 P1939-85 */
static void
unique_ids_stay_when_flags_change(void **state)
{
	struct drop *d;
	char before[200];

	(void)state;
	put_text("m/new/1.a.h", "same\n");
	put_text("m/new/2.a.h", "same\n");
	put_text("m/new/3 odd", "same\n");
	d = must_open();
	(void)snprintf(before, sizeof before, "%s", all_uids(d));
	store->close(d);
	rename_file("m/new/1.a.h", "m/cur/1.a.h:2,");
	rename_file("m/cur/1.a.h:2,", "m/cur/1.a.h:2,FRS");
	rename_file("m/new/3 odd", "m/cur/3 odd:2,T");
	d = must_open();
	assert_string_equal(all_uids(d), before);
	store->close(d);
}

/* Holds: P1939-82 */
static void
a_name_that_is_the_digest_of_another_takes_nothing_from_it(void **state)
{
	char digest[STORE_UID_MAX + 1], path[100];
	struct drop *d;
	int i;

	(void)state;
	name_digest("with space", 10, digest);
	(void)snprintf(path, sizeof path, "m/new/%s", digest);
	put_text("m/new/with space", "a\n");
	put_text(path, "longer\n");
	d = must_open();
	assert_int_equal(store->count(d), 2);
	i = find_uid(d, digest);
	assert_int_not_equal(i, -1);
	assert_int_equal(store->size(d, (uint32_t)i, true), 8); /* its own name */
	name_digest(digest, 64, digest);
	i = find_uid(d, digest);
	assert_int_not_equal(i, -1);
	assert_int_equal(store->size(d, (uint32_t)i, true), 3);
	store->close(d);
}

static void
make_socket(const char *path)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0), here = open(".", O_RDONLY | O_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_not_equal(here, -1);
	(void)snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
	assert_int_equal(fchdir(root), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
	assert_int_equal(fchdir(here), 0);
	(void)close(fd);
	(void)close(here);
}

/* What is no message costs nothing but itself, and is never touched. */
static void
only_regular_files_are_messages(void **state)
{
	struct drop *d;
	const char *why;
	uint64_t before;
	uint32_t expect = 6;

	(void)state;
	put_text("m/new/1.good", "a\n");
	put_text("m/cur/2.good:2,S", "a\n");
	put_text("secret", "not mail\n");
	put_text("m/new/.hidden", "a\n");
	put_text("m/tmp/5.being-written", "a\n");
	assert_int_equal(mkdirat(root, "m/.Junk", 0755), 0);
	assert_int_equal(mkdirat(root, "m/.Junk/new", 0755), 0);
	put_text("m/.Junk/new/6.junk", "a\n");
	assert_int_equal(mkfifoat(root, "m/new/fifo", 0644), 0);
	make_socket("m/cur/socket");
	assert_int_equal(mkdirat(root, "m/cur/folder", 0755), 0);
	put_text("m/cur/folder/7.inside", "a\n");
	assert_int_equal(symlinkat("../../secret", root, "m/new/link"), 0);
	assert_int_equal(symlinkat("nowhere", root, "m/cur/dangling:2,"), 0);
	assert_int_equal(symlinkat(".", root, "m/cur/loop"), 0);
	if (mknodat(root, "m/new/device", S_IFCHR | 0644, makedev(1, 3)) == 0)
		expect++;
	before = picture();
	d = must_open();
	assert_string_equal(all_uids(d), "1.good 2.good ");
	assert_int_equal(store->skipped(d, &why), expect);
	assert_non_null(strstr(why, "not a regular file"));
	store->close(d);
	assert_true(picture() == before); /* nothing renamed, made, flagged or removed */
}

static void
folders_that_are_links_are_not_followed(void **state)
{
	(void)state;
	assert_int_equal(unlinkat(root, "m/cur", AT_REMOVEDIR), 0);
	assert_int_equal(mkdirat(root, "other", 0755), 0);
	put_text("other/1.theirs", "a\n");
	assert_int_equal(symlinkat("../other", root, "m/cur"), 0);
	must_not_open(FAULT_PERM);
	remove_file("m/cur");
	put_text("m/cur", "a file\n");
	must_not_open(FAULT_PERM);
}

static void
no_path_leaves_the_root(void **state)
{
	static const char *const paths[] = { "../m", "m/../../x", "/", "/etc", "up", "up/etc",
		"absolute", "self/root" };
	struct drop *d = NULL;
	struct delivery *in = NULL;
	struct fault f;

	(void)state;
	assert_int_equal(symlinkat("../..", root, "up"), 0);
	assert_int_equal(symlinkat("/etc", root, "absolute"), 0);
	assert_int_equal(symlinkat("/proc/self", root, "self"), 0);
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		f.kind = FAULT_NONE;
		assert_int_equal(store->open(root, paths[i], &d, &f), -1);
		assert_int_equal(f.kind, FAULT_PERM);
		assert_int_equal(store->deliver_begin(root, paths[i], &in, &f), -1);
		assert_int_equal(store->delivered(root, paths[i], "1.a", &f), -1);
	}
	assert_null(d);
	assert_null(in);
	/* links and ".." that stay below are as good as any path */
	assert_int_equal(symlinkat("m", root, "n"), 0);
	put_text("m/new/1.a", "a\n");
	assert_int_equal(store->open(root, "n/cur/../", &d, &f), 0);
	assert_int_equal(store->count(d), 1);
	store->close(d);
}

/* A rename elsewhere can make the kernel unsure whether a ".." stays below the root. */
static void
a_path_that_the_kernel_is_unsure_of_is_tried_again(void **state)
{
	struct drop *d;

	(void)state;
	put_text("m/new/1.a,W=3", "a\n");
	trouble.opens_again = 10;
	d = must_open();
	assert_int_equal(store->count(d), 1);
	store->close(d);
	trouble.opens_again = 1000000;
	must_not_open(FAULT_TEMP);
}

static void
a_folder_that_may_not_be_read_is_a_fault(void **state)
{
	(void)state;
	put_text("m/new/1.a", "a\n");
	assert_int_equal(fchmodat(root, "m/cur", 0, 0), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	must_not_open(FAULT_PERM);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(fchmodat(root, "m/cur", 0700, 0), 0);
}

static void
without_descriptors_it_is_a_fault_of_the_moment(void **state)
{
	struct rlimit was, few;
	struct drop *d;

	(void)state;
	put_text("m/new/1.a", "a\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	for (int more = 1; more < 4; more++) { /* the Maildir, new, cur; then a message */
		int next = dup(root);

		assert_int_not_equal(next, -1);
		(void)close(next);
		few = (struct rlimit){ (rlim_t)(next + more - 1), was.rlim_max };
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		must_not_open(FAULT_TEMP);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	}
	d = must_open();
	assert_int_equal(store->count(d), 1);
	store->close(d);
}

/* Holds: P1939-38 */
static void
mail_that_arrives_later_is_not_in_the_snapshot(void **state)
{
	struct drop *d;

	(void)state;
	put_text("m/new/2.b", "a\n");
	d = must_open();
	put_text("m/new/1.a", "a\n");
	put_text("m/new/3.c", "a\n");
	assert_string_equal(all_uids(d), "2.b ");
	store->close(d);
	d = must_open();
	assert_string_equal(all_uids(d), "1.a 2.b 3.c ");
	store->close(d);
}

/* An IMAP server moves a message on while we are between new/ and cur/. */
static void
move_to_cur(int fd, int n, bool after)
{
	(void)n;
	if (!after && is_folder(fd, "m/cur") && exists("m/new/1.a"))
		rename_file("m/new/1.a", "m/cur/1.a:2,S");
}

/* Holds: P1939-82 */
static void
a_message_that_moves_to_cur_meanwhile_is_there_once(void **state)
{
	struct message *m;
	struct drop *d;
	struct fault f;

	(void)state;
	put_text("m/new/1.a", "a\n");
	put_text("m/new/2.b", "a\n");
	set_age("m/new", 3600);
	set_age("m/cur", 3600);
	trouble.folder_read = move_to_cur;
	d = must_open();
	assert_string_equal(all_uids(d), "1.a 2.b ");
	assert_int_equal(store->message_open(d, 0, &m, &f), 0);
	message_close(&m);
	store->close(d);
}

/* A message in both folders for good, as a copy of a Maildir may have it, is there once as well. */
static void
a_message_in_both_folders_is_there_once(void **state)
{
	struct drop *d;

	(void)state;
	put_text("m/new/1.a", "a\n");
	put_text("m/cur/1.a:2,S", "abc\n");
	put_text("m/new/2.b", "a\n");
	d = must_open();
	assert_string_equal(all_uids(d), "1.a 2.b ");
	assert_int_equal(store->size(d, 0, true), 5); /* what was seen last */
	store->close(d);
	put_text("m/cur/1.a:2,RS", "a\n");
	d = must_open();
	assert_string_equal(all_uids(d), "1.a 2.b ");
	store->close(d);
}

/*
 * Renamed while its folder is read, a message may be under neither name in what the read gives:
 * it is out of sight during the read of cur/, and there again, with other flags, behind it.
 */
static int hide_reads; /* how many reads */
static int hide_age; /* what the time of the folder is put to; 0: left alone */

static void
hide_from_read(int fd, int n, bool after)
{
	(void)n;
	if (!is_folder(fd, "m/cur") || hide_reads == 0)
		return;
	if (!after && exists("m/cur/1.a:2,")) {
		rename_file("m/cur/1.a:2,", "m/tmp/1.a");
	} else if (after && exists("m/tmp/1.a")) {
		rename_file("m/tmp/1.a", "m/cur/1.a:2,");
		hide_reads--;
	}
	if (hide_age != 0)
		set_age("m/cur", hide_age);
}

static void
check_hidden(int reads, int before, int age)
{
	struct drop *d;

	put_text("m/cur/1.a:2,", "a\n");
	put_text("m/cur/2.b:2,", "a\n");
	set_age("m/new", 3600);
	set_age("m/cur", before);
	hide_reads = reads;
	hide_age = age;
	trouble.folder_read = hide_from_read;
	d = must_open();
	assert_string_equal(all_uids(d), "1.a 2.b ");
	assert_int_equal(hide_reads, 0);
	store->close(d);
}

static void
a_message_renamed_during_the_scan_is_not_lost(void **state)
{
	(void)state;
	check_hidden(1, 3600, 0);
	check_hidden(2, 3600, 0);
	check_hidden(3, 3600, 0);
	check_hidden(1, 3600, 7200); /* whatever the time is put to */
}

/* The clock of files is coarse: two changes in one tick leave the same time. */
static void
nor_is_one_renamed_in_the_same_tick(void **state)
{
	(void)state;
	check_hidden(1, -100, -100);
}

/* Some passes see the one, some the other, and no pass is a quiet one. */
static void
seesaw(int fd, int n, bool after)
{
	static char hidden;

	(void)n;
	if (!is_folder(fd, "m/cur"))
		return;
	if (!after && lseek(fd, 0, SEEK_CUR) == 0) { /* the first read of a pass */
		hidden = hidden == '1' ? '2' : '1';
		rename_file(hidden == '1' ? "m/cur/1.a:2," : "m/cur/2.b:2,", "m/tmp/a");
	} else if (after && exists("m/tmp/a")) {
		rename_file("m/tmp/a", hidden == '1' ? "m/cur/1.a:2," : "m/cur/2.b:2,");
	}
}

static void
folders_that_never_rest_lose_nothing_either(void **state)
{
	struct drop *d;

	(void)state;
	put_text("m/cur/1.a:2,", "a\n");
	put_text("m/cur/2.b:2,", "a\n");
	assert_int_equal(mkdirat(root, "m/cur/folder", 0755), 0);
	trouble.folder_read = seesaw;
	d = must_open();
	trouble.folder_read = NULL;
	assert_string_equal(all_uids(d), "1.a 2.b ");
	assert_in_range(trouble.folder_reads, 2, 100); /* an end to it there is */
	assert_int_equal(store->skipped(d, &(const char *){ NULL }), 1);
	store->close(d);
}

/* Holds: P1939-37 P1939-81 */
static void
a_hundred_thousand_messages(void **state)
{
	enum { MANY = 100000 };
	struct drop *d;
	char text[STORE_UID_MAX + 1], path[80];

	(void)state;
	for (int i = 0; i < MANY; i++) { /* many names, one file: links need no inode each */
		int n = (int)(((long long)i * 70001) % MANY);

		(void)snprintf(path, sizeof path, "m/%s/17%08d.M%dP1.host,S=0,W=0%s",
		    n % 2 == 0 ? "new" : "cur", n, n, n % 2 == 0 ? "" : ":2,S");
		if (i % 20000 == 0)
			put_text("m/tmp/file", "");
		if (linkat(root, "m/tmp/file", root, path, 0) == -1)
			fail_msg("%s: %s", path, strerror(errno));
		if (i % 20000 == 19999)
			remove_file("m/tmp/file");
	}
	d = must_open();
	assert_int_equal(store->count(d), MANY);
	for (int i = 0; i < MANY; i++) {
		store->uid(d, (uint32_t)i, text);
		(void)snprintf(path, sizeof path, "17%08d.M%dP1.host,S=0,W=0", i, i);
		assert_string_equal(text, path);
		assert_int_equal(store->size(d, (uint32_t)i, true), 0);
	}
	assert_int_equal(trouble.octets_read, 0);
	store->close(d);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, maildir_setup, maildir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_maildrop_that_does_not_exist_is_empty),
		TEST(an_empty_maildrop_has_no_messages),
		TEST(order_is_by_arrival_then_name),
		TEST(unique_ids_are_names_or_their_digests),
		TEST(unique_ids_stay_when_flags_change),
		TEST(a_name_that_is_the_digest_of_another_takes_nothing_from_it),
		TEST(only_regular_files_are_messages),
		TEST(folders_that_are_links_are_not_followed),
		TEST(no_path_leaves_the_root),
		TEST(a_path_that_the_kernel_is_unsure_of_is_tried_again),
		TEST(a_folder_that_may_not_be_read_is_a_fault),
		TEST(without_descriptors_it_is_a_fault_of_the_moment),
		TEST(mail_that_arrives_later_is_not_in_the_snapshot),
		TEST(a_message_that_moves_to_cur_meanwhile_is_there_once),
		TEST(a_message_in_both_folders_is_there_once),
		TEST(a_message_renamed_during_the_scan_is_not_lost),
		TEST(nor_is_one_renamed_in_the_same_tick),
		TEST(folders_that_never_rest_lose_nothing_either),
		TEST(a_hundred_thousand_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
