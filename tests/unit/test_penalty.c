/* Failed logins make an address wait, with a clock of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "auth/penalty.h"

/* Holds: Q-M11 */
static void
delays_double_up_to_a_limit(void **state)
{
	static const uint64_t expected[] = { 2000, 4000, 8000, 16000, 16000, 16000 };
	struct penalties *p = penalties_create(2);
	uint64_t now = 1000;

	(void)state;
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		uint64_t said;

		assert_int_equal(penalty_ask(p, "192.0.2.1", now), now);
		said = penalty_failed(p, "192.0.2.1", now);
		assert_int_equal(said, now + expected[i]);
		/* nothing of it is looked at before */
		assert_int_equal(penalty_ask(p, "192.0.2.1", now), said);
		assert_int_equal(penalty_ask(p, "192.0.2.1", said - 1), said);
		now = said;
	}
	/* others are not touched */
	assert_int_equal(penalty_ask(p, "192.0.2.2", now), now);
	penalties_destroy(&p);
	assert_null(p);
	penalties_destroy(&p);
}

/* Many connections at once guess no faster than one. */
static void
attempts_of_an_address_take_turns(void **state)
{
	struct penalties *p = penalties_create(2);

	(void)state;
	assert_int_equal(penalty_failed(p, "192.0.2.1", 1000), 3000);
	assert_int_equal(penalty_ask(p, "192.0.2.1", 3000), 3000);
	/* while that one is looked at, the next has to wait */
	assert_int_equal(penalty_ask(p, "192.0.2.1", 3000), 5000);
	assert_int_equal(penalty_ask(p, "192.0.2.1", 3001), 5000);
	assert_int_equal(penalty_failed(p, "192.0.2.1", 3010), 7010);
	assert_int_equal(penalty_ask(p, "192.0.2.1", 5000), 7010);
	/* and it never waits longer than the longest delay */
	for (int i = 0; i < 100; i++)
		assert_true(penalty_failed(p, "192.0.2.1", 8000) <= 8000 + 16000);
	penalties_destroy(&p);
}

static void
success_and_time_forgive(void **state)
{
	struct penalties *p = penalties_create(2);

	(void)state;
	(void)penalty_failed(p, "192.0.2.1", 1000);
	penalty_cleared(p, "192.0.2.1");
	penalty_cleared(p, "192.0.2.9");
	assert_int_equal(penalty_ask(p, "192.0.2.1", 1001), 1001);
	assert_int_equal(penalty_failed(p, "192.0.2.1", 1001), 3001); /* from the start */
	assert_int_equal(penalty_failed(p, "192.0.2.1", 4000), 8000);
	assert_int_equal(penalty_failed(p, "192.0.2.1", 4000 + 300001), 4000 + 300001 + 2000);
	assert_int_equal(penalty_ask(p, "192.0.2.1", 700000), 700000);
	assert_int_equal(penalty_failed(p, "192.0.2.1", 700000), 702000);
	penalties_destroy(&p);
}

static void
networks_of_ipv6_are_one_address(void **state)
{
	struct penalties *p = penalties_create(2);

	(void)state;
	(void)penalty_failed(p, "2001:db8:1:2::1", 1000);
	assert_int_equal(penalty_ask(p, "2001:db8:1:2:ffff:ffff:ffff:ffff", 1000), 3000);
	assert_int_equal(penalty_ask(p, "2001:db8:1:3::1", 1000), 1000);
	/* IPv4 in IPv6's clothes: each for itself */
	(void)penalty_failed(p, "::ffff:192.0.2.1", 1000);
	assert_int_equal(penalty_ask(p, "::ffff:192.0.2.2", 1000), 1000);
	assert_int_equal(penalty_ask(p, "::ffff:192.0.2.1", 1000), 3000);
	/* what is no address at all is one by its name */
	(void)penalty_failed(p, "unix", 1000);
	assert_int_equal(penalty_ask(p, "unix", 1000), 3000);
	penalties_destroy(&p);
}

static void
none_when_switched_off(void **state)
{
	struct penalties *p = penalties_create(0);

	(void)state;
	assert_int_equal(penalty_failed(p, "192.0.2.1", 1000), 1000);
	assert_int_equal(penalty_ask(p, "192.0.2.1", 1000), 1000);
	penalties_set_base(p, 30);
	assert_int_equal(penalty_failed(p, "192.0.2.1", 1000), 17000);
	penalties_set_base(p, 0); /* a reload */
	assert_int_equal(penalty_ask(p, "192.0.2.1", 1000), 1000);
	penalties_destroy(&p);
}

/* However many addresses fail, it is the oldest that is forgotten, and the newest that is not. */
static void
table_is_bounded(void **state)
{
	struct penalties *p = penalties_create(2);
	char address[64];

	(void)state;
	for (unsigned i = 0; i < 65536 + 10; i++) {
		(void)snprintf(
		    address, sizeof address, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		(void)penalty_failed(p, address, 1000);
	}
	for (unsigned i = 0; i < 10; i++) {
		(void)snprintf(address, sizeof address, "10.0.0.%u", i);
		assert_int_equal(penalty_ask(p, address, 1000), 1000);
	}
	assert_int_equal(penalty_ask(p, "10.0.0.10", 1000), 3000);
	assert_int_equal(penalty_ask(p, "10.1.0.9", 1000), 3000);
	penalties_destroy(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_double_up_to_a_limit),
		cmocka_unit_test(attempts_of_an_address_take_turns),
		cmocka_unit_test(success_and_time_forgive),
		cmocka_unit_test(networks_of_ipv6_are_one_address),
		cmocka_unit_test(none_when_switched_off),
		cmocka_unit_test(table_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
