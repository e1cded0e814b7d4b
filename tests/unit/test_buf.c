/* Octets that grow up to their ceiling, and leave nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

/* free() as the linker has it here: it looks at what it is given first. */
void __real_free(void *p);
void __wrap_free(void *p);

static const void *watched;
static size_t watched_len;
static int found_wiped, found_dirty;

void
__wrap_free(void *p)
{
	const uint8_t *octets = p;
	size_t zeros = 0;

	if (p != NULL && p == watched) {
		while (zeros < watched_len && octets[zeros] == 0)
			zeros++;
		found_wiped += zeros == watched_len;
		found_dirty += zeros != watched_len;
		watched = NULL;
	}
	__real_free(p);
}

static void
watch(const struct buf *b)
{
	watched = b->data;
	watched_len = b->cap;
	found_wiped = found_dirty = 0;
}

static void
test_append_up_to_the_ceiling(void **state)
{
	struct buf b;
	uint8_t octets[1000];

	(void)state;
	memset(octets, 'x', sizeof octets);
	buf_init(&b, 1000);
	assert_true(buf_append(&b, octets, 999));
	assert_false(buf_append(&b, octets, 2));
	assert_int_equal(b.len, 999);
	assert_true(buf_append(&b, "y", 1));
	assert_false(buf_append(&b, "z", 1));
	assert_int_equal(b.len, 1000);
	assert_true(b.cap <= 1000);
	assert_int_equal(buf_at(&b)[999], 'y');
	assert_memory_equal(buf_at(&b), octets, 999);
	buf_finish(&b);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	assert_true(buf_append(&b, octets, 1000)); /* it can be used again, with its ceiling */
	assert_false(buf_append(&b, octets, 1));
	buf_finish(&b);
}

static void
test_lengths_that_would_wrap(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_true(buf_append(&b, "abc", 3));
	assert_null(buf_room(&b, SIZE_MAX));
	assert_null(buf_room(&b, SIZE_MAX - 2));
	assert_null(buf_room(&b, 98));
	assert_non_null(buf_room(&b, 97));
	assert_int_equal(b.len, 3);
	buf_finish(&b);
}

/* A model that moves octets by hand says what must be in the buffer after every step. */
static void
test_any_order_of_appending_and_consuming(void **state)
{
	uint8_t model[700], next = 0;
	size_t len = 0;
	unsigned seed = 1;
	struct buf b;

	(void)state;
	buf_init(&b, sizeof model);
	for (int step = 0; step < 20000; step++) {
		uint8_t some[97];
		size_t n;

		seed = seed * 1103515245U + 12345U;
		n = (seed >> 16) % sizeof some;
		if ((seed >> 8) % 2 == 0) {
			bool fits = n <= sizeof model - len;

			for (size_t i = 0; i < n; i++)
				some[i] = next++;
			assert_int_equal(buf_append(&b, some, n), fits);
			if (fits && n > 0) {
				memcpy(model + len, some, n);
				len += n;
			}
		} else {
			n = n < len ? n : len;
			if (n > 0)
				buf_consume(&b, n);
			len -= n;
			memmove(model, model + n, len);
		}
		assert_int_equal(b.len, len);
		if (len > 0)
			assert_memory_equal(buf_at(&b), model, len);
	}
	buf_finish(&b);
}

static void
test_an_empty_one_gives_its_memory_back(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 10000);
	assert_true(buf_append(&b, "abcdef", 6));
	buf_consume(&b, 5);
	assert_non_null(b.data);
	buf_consume(&b, 1);
	assert_null(b.data);
	assert_int_equal(b.cap, 0);
	assert_int_equal(b.off, 0);
}

static void
test_room_is_filled_in_place(void **state)
{
	struct buf b;
	uint8_t *room;

	(void)state;
	buf_init(&b, 64);
	room = buf_room(&b, 10);
	assert_non_null(room);
	memcpy(room, "12345", 5);
	buf_added(&b, 5); /* less than was asked for */
	assert_int_equal(b.len, 5);
	assert_memory_equal(buf_at(&b), "12345", 5);
	buf_finish(&b);
}

static void
test_wiping(void **state)
{
	char password[300] = "correct horse";
	struct buf b;

	(void)state;
	memset(password + 13, 'x', sizeof password - 13);
	buf_init(&b, 1000);
	assert_true(buf_append(&b, password, 20));
	watch(&b);
	assert_true(
	    buf_append(&b, password, 300)); /* the small memory makes room for a large one */
	assert_int_equal(found_wiped, 1);
	watch(&b);
	buf_wipe(&b);
	assert_int_equal(found_wiped, 1);
	assert_null(b.data);
}

static void
test_a_secret_one_wipes_always(void **state)
{
	struct buf b;

	(void)state;
	buf_init_secret(&b, 1000);
	for (int round = 0; round < 2; round++) { /* also when it is used again */
		assert_true(buf_append(&b, "PASS secret\r\n", 13));
		watch(&b);
		buf_consume(&b, 13);
		assert_int_equal(found_wiped, 1);
		assert_true(buf_append(&b, "PASS secret\r\n", 13));
		watch(&b);
		buf_finish(&b);
		assert_int_equal(found_wiped, 1);
		assert_int_equal(found_dirty, 0);
	}
	buf_init(&b, 1000); /* and the watching finds what is not wiped */
	assert_true(buf_append(&b, "PASS secret\r\n", 13));
	watch(&b);
	buf_finish(&b);
	assert_int_equal(found_dirty, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append_up_to_the_ceiling),
		cmocka_unit_test(test_lengths_that_would_wrap),
		cmocka_unit_test(test_any_order_of_appending_and_consuming),
		cmocka_unit_test(test_an_empty_one_gives_its_memory_back),
		cmocka_unit_test(test_room_is_filled_in_place),
		cmocka_unit_test(test_wiping),
		cmocka_unit_test(test_a_secret_one_wipes_always),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
