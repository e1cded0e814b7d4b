/*
 * UPDATE on a Maildir, and delivery into it: what is said to be gone is gone, what is said to be
 * there is there, whatever the file system does.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "maildir_fixture.h"

static const struct store_ops *const store = &store_maildir;

/* Five messages, in both folders. */
static struct drop *
five(void)
{
	put_text("m/new/1.a,W=3", "a\n");
	put_text("m/cur/2.b,W=3:2,S", "a\n");
	put_text("m/new/3.c,W=3", "a\n");
	put_text("m/cur/4.d,W=3:2,", "a\n");
	put_text("m/cur/5.e,W=3", "a\n");
	return must_open();
}

static int
remove_these(struct drop *d, unsigned bits, uint32_t *removed, struct fault *f)
{
	uint8_t marked[1] = { (uint8_t)bits };

	*f = (struct fault){ 0 };
	*removed = 99;
	return store->remove(d, marked, removed, f);
}

/* Holds: P1939-90 P1939-92 P1939-94 */
static void
marked_messages_are_removed_and_no_others(void **state)
{
	struct drop *d = five();
	struct fault f;
	uint32_t removed;

	(void)state;
	assert_int_equal(remove_these(d, 0x00, &removed, &f), 0);
	assert_int_equal(removed, 0);
	assert_int_equal(trouble.fsyncs, 0);
	assert_int_equal(remove_these(d, 0x05, &removed, &f), 0); /* both of new/ */
	assert_int_equal(removed, 2);
	assert_int_equal(trouble.fsyncs, 1);
	store->close(d);
	d = must_open();
	assert_string_equal(all_uids(d), "2.b,W=3 4.d,W=3 5.e,W=3 ");
	assert_int_equal(remove_these(d, 0x02, &removed, &f), 0);
	assert_int_equal(removed, 1);
	store->close(d);
	d = must_open();
	assert_string_equal(all_uids(d), "2.b,W=3 5.e,W=3 ");
	store->close(d);
}

/* Holds: P1939-71 P1939-93 */
static void
closing_removes_nothing(void **state)
{
	struct drop *d = five();

	(void)state;
	store->close(d);
	d = must_open();
	assert_int_equal(store->count(d), 5);
	store->close(d);
}

/* Holds: P1939-90 P1939-91 P1939-92 */
static void
renamed_ones_are_found_and_gone_ones_are_gone(void **state)
{
	struct drop *d = five();
	struct fault f;
	uint32_t removed;
	int reads = trouble.folder_reads;

	(void)state;
	set_age("m/new", 3600);
	set_age("m/cur", 3600);
	rename_file("m/new/1.a,W=3", "m/cur/1.a,W=3:2,S");
	rename_file("m/cur/2.b,W=3:2,S", "m/cur/2.b,W=3:2,RS");
	rename_file("m/new/3.c,W=3", "m/cur/3.c,W=3:2,S");
	remove_file("m/cur/5.e,W=3");
	assert_int_equal(remove_these(d, 0x13, &removed, &f), 0);
	assert_int_equal(removed, 3);
	assert_int_equal(trouble.fsyncs, 2);
	assert_in_range(trouble.folder_reads - reads, 4, 20); /* not a scan for each */
	store->close(d);
	d = must_open();
	assert_string_equal(all_uids(d), "3.c,W=3 4.d,W=3 ");
	store->close(d);
}

/* Holds: P1939-91 */
static void
what_cannot_be_removed_is_said_and_stays(void **state)
{
	struct drop *d = five();
	struct fault f;
	uint32_t removed;

	(void)state;
	trouble.unlink_errno = EIO;
	assert_int_equal(remove_these(d, 0x1f, &removed, &f), -1);
	assert_int_equal(removed, 0);
	assert_int_equal(f.kind, FAULT_TEMP);
	assert_string_equal(f.text, "remove \"new/1.a,W=3\": Input/output error");
	trouble.unlink_errno = EACCES;
	assert_int_equal(remove_these(d, 0x02, &removed, &f), -1);
	assert_int_equal(f.kind, FAULT_PERM);
	trouble.unlink_errno = 0;
	/* one in the way of others: they are removed all the same */
	remove_file("m/new/3.c,W=3");
	assert_int_equal(mkdirat(root, "m/new/3.c,W=3", 0755), 0);
	assert_int_equal(remove_these(d, 0x1f, &removed, &f), -1);
	assert_int_equal(removed, 4);
	assert_non_null(strstr(f.text, "3.c"));
	store->close(d);
}

/* Holds: P1939-94 */
static void
an_error_of_fsync_is_a_failure(void **state)
{
	struct drop *d = five();
	struct fault f;
	uint32_t removed;

	(void)state;
	trouble.fsync_errno = EIO;
	assert_int_equal(remove_these(d, 0x01, &removed, &f), -1);
	assert_int_equal(f.kind, FAULT_TEMP);
	assert_string_equal(f.text, "sync \"new/\": Input/output error");
	/* asked again, it does not take what is gone for durably gone */
	assert_int_equal(remove_these(d, 0x01, &removed, &f), -1);
	trouble.fsync_errno = 0;
	assert_int_equal(remove_these(d, 0x01, &removed, &f), 0);
	assert_int_equal(removed, 1);
	store->close(d);
}

/* Whenever we are about to remove it, it has just got another name. */
static int moves_left;

static void
keep_moving(const char *name)
{
	static const char *const names[] = { "m/new/1.a,W=3", "m/cur/1.a,W=3:2,S",
		"m/cur/1.a,W=3:2,RS" };

	if (strncmp(name, "1.a", 3) != 0 || moves_left == 0)
		return;
	moves_left--;
	for (int i = 0; i < 3; i++) {
		if (!exists(names[i]))
			continue;
		rename_file(names[i], names[(i + 1) % 3]);
		return;
	}
}

/* Holds: P1939-90 P1939-91 */
static void
one_that_moves_is_followed(void **state)
{
	struct drop *d = five();
	struct fault f;
	uint32_t removed;

	(void)state;
	trouble.removal = keep_moving;
	moves_left = 3;
	assert_int_equal(remove_these(d, 0x03, &removed, &f), 0);
	assert_int_equal(removed, 2);
	store->close(d);
	d = must_open();
	assert_string_equal(all_uids(d), "3.c,W=3 4.d,W=3 5.e,W=3 ");
	store->close(d);
}

/* Holds: P1939-91 */
static void
and_never_taken_for_one_that_is_gone(void **state)
{
	struct drop *d = five();
	struct fault f;
	uint32_t removed;

	(void)state;
	trouble.removal = keep_moving;
	moves_left = 1000;
	assert_int_equal(remove_these(d, 0x03, &removed, &f), -1);
	assert_int_equal(removed, 1);
	assert_int_equal(f.kind, FAULT_TEMP);
	store->close(d);
	trouble.removal = NULL;
	d = must_open();
	assert_int_not_equal(find_uid(d, "1.a,W=3"), -1);
	store->close(d);
}

/* Holds: P1939-92 */
static void
nothing_is_removed_through_a_link(void **state)
{
	struct drop *d = five();
	struct fault f;
	uint32_t removed;

	(void)state;
	assert_int_equal(mkdirat(root, "other", 0755), 0);
	put_text("other/1.a,W=3", "not ours\n");
	rename_file("m/new", "m/old");
	assert_int_equal(symlinkat("../other", root, "m/new"), 0);
	assert_int_equal(remove_these(d, 0x01, &removed, &f), -1);
	assert_int_equal(removed, 0);
	assert_true(exists("other/1.a,W=3"));
	remove_file("m/new");
	assert_int_equal(symlinkat("old", root, "m/new"), 0); /* nor within the Maildir */
	assert_int_equal(remove_these(d, 0x01, &removed, &f), -1);
	assert_true(exists("m/old/1.a,W=3"));
	/* but a message that became a link is an entry like any other */
	remove_file("m/new");
	rename_file("m/old", "m/new");
	remove_file("m/new/1.a,W=3");
	assert_int_equal(symlinkat("../../other/1.a,W=3", root, "m/new/1.a,W=3"), 0);
	assert_int_equal(remove_these(d, 0x01, &removed, &f), 0);
	assert_true(exists("other/1.a,W=3"));
	assert_false(exists("m/new/1.a,W=3"));
	store->close(d);
}

/* On a disk without a free octet, mail can be read and removed.  Runs in a process of its own. */
static int
on_a_full_disk(void)
{
	struct delivery *in = NULL;
	struct message *m;
	struct drop *d;
	struct fault f;
	uint32_t removed;
	char block[4096] = { 0 };
	int fd;

	if (unshare(CLONE_NEWNS) == -1 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == -1 ||
	    mount("none", root_path, "tmpfs", 0, "size=64k") == -1)
		return 77;
	root = open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root == -1 || mkdirat(root, "m", 0755) == -1 || mkdirat(root, "m/new", 0755) == -1 ||
	    mkdirat(root, "m/cur", 0755) == -1)
		return 2;
	put_text("m/new/1.a", "one\n");
	put_text("m/cur/2.b:2,", "two\n");
	fd = openat(root, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, block, sizeof block) > 0)
		continue;
	if (errno != ENOSPC)
		return 3;
	if (store->deliver_begin(root, "m", &in, &f) == 0) {
		if (store->deliver_write(in, block, sizeof block, &f) == 0)
			return 4;
		store->deliver_abort(&in);
	}
	if (f.kind != FAULT_TEMP)
		return 5;
	if (store->open(root, "m", &d, &f) == -1 || store->count(d) != 2 ||
	    store->message_open(d, 1, &m, &f) == -1)
		return 6;
	if (message_read(m, 0, block, sizeof block, &f) != 4 || memcmp(block, "two\n", 4) != 0)
		return 7;
	message_close(&m);
	if (remove_these(d, 0x03, &removed, &f) == -1 || removed != 2)
		return 8;
	return 0;
}

/* Holds: P1939-90 */
static void
a_full_disk_lets_mail_be_read_and_removed(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	only_as_root();
	pid = fork();
	assert_int_not_equal(pid, -1);
	if (pid == 0)
		_exit(on_a_full_disk());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* root, but not allowed to mount */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int
count_files(const char *path)
{
	int fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), n = 0;
	const struct dirent *de;
	DIR *folder;

	assert_int_not_equal(fd, -1);
	folder = fdopendir(fd);
	assert_non_null(folder);
	while ((de = readdir(folder)) != NULL)
		n += de->d_name[0] != '.';
	(void)closedir(folder);
	return n;
}

static void
deliver(const char *path, const char *text, char *name)
{
	struct delivery *in = NULL;
	struct fault f = { 0 };

	if (store->deliver_begin(root, path, &in, &f) == -1)
		fail_msg("%s", f.text);
	for (const char *p = text; *p != '\0'; p++) /* octet by octet */
		assert_int_equal(store->deliver_write(in, p, 1, &f), 0);
	store->deliver_name(in, name);
	assert_int_equal(store->delivered(root, path, name, &f), 0);
	if (store->deliver_commit(&in, &f) == -1)
		fail_msg("%s", f.text);
	assert_null(in);
	assert_int_equal(store->delivered(root, path, name, &f), 1);
}

static void
a_delivered_message_is_there(void **state)
{
	char name[256], again[256], path[300];
	struct stat st;
	struct drop *d;

	(void)state;
	deliver("m", "a: b\n\n.c", name);
	deliver("m", "a: b\n\n.c", again);
	assert_string_not_equal(name, again);
	(void)snprintf(path, sizeof path, "m/new/%s", name);
	assert_int_equal(fstatat(root, path, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_nlink, 1);
	assert_non_null(strstr(name, ",S=8,W=12"));
	assert_null(strpbrk(name, "/: "));
	assert_int_equal(count_files("m/tmp"), 0);
	assert_int_equal(count_files("m/new"), 2);
	d = must_open();
	assert_int_equal(store->count(d), 2);
	assert_int_equal(store->size(d, 0, true), 12);
	assert_int_equal(trouble.octets_read, 0);
	store->close(d);
}

/* "delivered" finds it under whatever name it has by then. */
static void
a_delivered_message_is_found_when_it_was_read(void **state)
{
	char name[256], from[300], to[300];
	struct fault f;

	(void)state;
	deliver("m", "x\n", name);
	(void)snprintf(from, sizeof from, "m/new/%s", name);
	(void)snprintf(to, sizeof to, "m/cur/%s:2,S", name);
	rename_file(from, to);
	assert_int_equal(store->delivered(root, "m", name, &f), 1);
	(void)snprintf(to, sizeof to, "%s:2,S", name);
	assert_int_equal(store->delivered(root, "m", to, &f), 0); /* no base name */
	(void)snprintf(to, sizeof to, "m/cur/%s:2,S", name);
	name[strlen(name) - 1] = '\0';
	assert_int_equal(store->delivered(root, "m", name, &f), 0);
	assert_int_equal(store->delivered(root, "nobody", name, &f), 0);
	remove_file(to);
}

/* Holds: P1939-38 */
static void
delivery_does_not_wait_for_a_session(void **state)
{
	struct drop *d = must_open();
	char name[256];

	(void)state;
	deliver("m", "x\n", name);
	assert_int_equal(store->count(d), 0);
	store->close(d);
}

static void
missing_folders_are_made_for_their_owner_alone(void **state)
{
	static const char *const made[] = { "dom", "dom/user", "dom/user/Mail", "dom/user/Mail/tmp",
		"dom/user/Mail/new", "dom/user/Mail/cur" };
	char name[256];
	struct stat st;

	(void)state;
	deliver("dom/user/Mail", "x\n", name);
	for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
		assert_int_equal(fstatat(root, made[i], &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 0700);
	}
	assert_true(trouble.fsyncs >= 6 + 2); /* each name, the message, new/ */
}

static void
an_aborted_delivery_leaves_nothing(void **state)
{
	struct delivery *in = NULL;
	struct fault f;

	(void)state;
	assert_int_equal(store->deliver_begin(root, "m", &in, &f), 0);
	assert_int_equal(store->deliver_write(in, "x", 1, &f), 0);
	assert_int_equal(count_files("m/tmp"), 1);
	store->deliver_abort(&in);
	assert_null(in);
	store->deliver_abort(&in);
	assert_int_equal(count_files("m/tmp"), 0);
	assert_int_equal(count_files("m/new"), 0);
}

static void
without_room_nothing_arrives(void **state)
{
	static const int errors[] = { ENOSPC, EDQUOT, EFBIG, EIO };
	struct delivery *in = NULL;
	struct fault f;

	(void)state;
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
		trouble.write_errno = errors[i];
		trouble.write_room = 5;
		assert_int_equal(store->deliver_begin(root, "m", &in, &f), 0);
		assert_int_equal(store->deliver_write(in, "123", 3, &f), 0);
		f.kind = FAULT_NONE;
		assert_int_equal(store->deliver_write(in, "456", 3, &f), -1);
		assert_int_equal(f.kind, FAULT_TEMP);
		/* room again: what was cut is not completed, and not delivered */
		trouble.write_errno = 0;
		assert_int_equal(store->deliver_write(in, "789", 3, &f), -1);
		f.kind = FAULT_NONE;
		assert_int_equal(store->deliver_commit(&in, &f), -1);
		assert_int_equal(f.kind, FAULT_TEMP);
		assert_null(in);
		assert_int_equal(count_files("m/tmp"), 0);
		assert_int_equal(count_files("m/new"), 0);
	}
}

static void
what_was_not_synced_did_not_arrive(void **state)
{
	struct delivery *in = NULL;
	struct fault f;

	(void)state;
	assert_int_equal(store->deliver_begin(root, "m", &in, &f), 0);
	assert_int_equal(store->deliver_write(in, "x\n", 2, &f), 0);
	trouble.fsync_errno = EIO;
	assert_int_equal(store->deliver_commit(&in, &f), -1);
	assert_int_equal(f.kind, FAULT_TEMP);
	assert_int_equal(count_files("m/tmp"), 0);
	assert_int_equal(count_files("m/new"), 0);
	/* its name was not: it may be there or not, which nobody takes for success */
	trouble = (struct trouble){ .fsync_errno = EIO, .fsync_room = 1 };
	assert_int_equal(store->deliver_begin(root, "m", &in, &f), 0);
	assert_int_equal(store->deliver_write(in, "x\n", 2, &f), 0);
	assert_int_equal(store->deliver_commit(&in, &f), -1);
	assert_null(in);
	assert_int_equal(count_files("m/tmp"), 0);
}

static void
a_name_that_is_taken_is_nobodys_to_overwrite(void **state)
{
	struct delivery *in = NULL;
	char name[256], path[300];
	struct fault f;
	struct stat st;

	(void)state;
	for (int links = 0; links < 2; links++) {
		trouble.link_errno = links == 0 ? 0 : EPERM; /* no hard links here */
		assert_int_equal(store->deliver_begin(root, "m", &in, &f), 0);
		assert_int_equal(store->deliver_write(in, "x\n", 2, &f), 0);
		store->deliver_name(in, name);
		(void)snprintf(path, sizeof path, "m/new/%s", name);
		put_text(path, "somebody else's\n");
		f.kind = FAULT_NONE;
		assert_int_equal(store->deliver_commit(&in, &f), -1);
		assert_int_equal(f.kind, FAULT_TEMP);
		assert_int_equal(fstatat(root, path, &st, 0), 0);
		assert_int_equal(st.st_size, 16);
		assert_int_equal(count_files("m/tmp"), 0);
	}
}

static void
a_file_system_without_hard_links_will_do(void **state)
{
	static const int errors[] = { EPERM, EOPNOTSUPP };
	char name[256];

	(void)state;
	for (int i = 0; i < 2; i++) {
		trouble.link_errno = errors[i];
		deliver("m", "x\n", name);
		assert_int_equal(count_files("m/new"), i + 1);
		assert_int_equal(count_files("m/tmp"), 0);
	}
}

static void
leftovers_are_swept_after_36_hours(void **state)
{
	char name[256];

	(void)state;
	put_text("m/tmp/1.old", "x");
	put_text("m/tmp/2.younger", "x");
	put_text("m/tmp/.hidden", "x");
	assert_int_equal(mkdirat(root, "m/tmp/folder", 0755), 0);
	set_age("m/tmp/1.old", 36 * 3600 + 60);
	set_age("m/tmp/2.younger", 36 * 3600 - 60);
	set_age("m/tmp/.hidden", 40 * 3600);
	set_age("m/tmp/folder", 40 * 3600);
	deliver("m", "x\n", name);
	assert_false(exists("m/tmp/1.old"));
	assert_true(exists("m/tmp/2.younger"));
	assert_true(exists("m/tmp/.hidden"));
	assert_true(exists("m/tmp/folder"));
}

static void
delivery_follows_no_link_out_of_the_maildir(void **state)
{
	static const char *const folders[] = { "m/tmp", "m/new" };
	struct delivery *in = NULL;
	struct fault f;

	(void)state;
	assert_int_equal(mkdirat(root, "other", 0755), 0);
	put_text("other/1.old", "theirs");
	set_age("other/1.old", 40 * 3600);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(unlinkat(root, folders[i], AT_REMOVEDIR), 0);
		assert_int_equal(symlinkat("../other", root, folders[i]), 0);
		assert_int_equal(store->deliver_begin(root, "m", &in, &f), -1);
		assert_int_equal(f.kind, FAULT_PERM);
		assert_null(in);
		remove_file(folders[i]);
		assert_int_equal(symlinkat("cur", root, folders[i]), 0);
		assert_int_equal(store->deliver_begin(root, "m", &in, &f), -1);
		remove_file(folders[i]);
		assert_int_equal(mkdirat(root, folders[i], 0755), 0);
	}
	assert_int_equal(count_files("other"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, maildir_setup, maildir_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(marked_messages_are_removed_and_no_others),
		TEST(closing_removes_nothing),
		TEST(renamed_ones_are_found_and_gone_ones_are_gone),
		TEST(what_cannot_be_removed_is_said_and_stays),
		TEST(an_error_of_fsync_is_a_failure),
		TEST(one_that_moves_is_followed),
		TEST(and_never_taken_for_one_that_is_gone),
		TEST(nothing_is_removed_through_a_link),
		TEST(a_full_disk_lets_mail_be_read_and_removed),
		TEST(a_delivered_message_is_there),
		TEST(a_delivered_message_is_found_when_it_was_read),
		TEST(delivery_does_not_wait_for_a_session),
		TEST(missing_folders_are_made_for_their_owner_alone),
		TEST(an_aborted_delivery_leaves_nothing),
		TEST(without_room_nothing_arrives),
		TEST(what_was_not_synced_did_not_arrive),
		TEST(a_name_that_is_taken_is_nobodys_to_overwrite),
		TEST(a_file_system_without_hard_links_will_do),
		TEST(leftovers_are_swept_after_36_hours),
		TEST(delivery_follows_no_link_out_of_the_maildir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
