/* Where clients come from, and which of them share a counter. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/setup.h"
#include "login/address.h"

static const uint8_t key[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

static struct address
of(const char *text, const uint8_t k[16])
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(12345) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(12345) };
	struct address a;

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		memcpy(&ss, &in, sizeof in);
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(&ss, &in6, sizeof in6);
	address_from(&ss, k, &a);
	assert_true(a.slot < COUNTER_SLOTS);
	return a;
}

static uint32_t
slot(const char *text)
{
	return of(text, key).slot;
}

static void
what_the_log_says(void **state)
{
	static const struct {
		const char *given, *said;
		bool loopback;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", false },
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.255.1.2", "127.255.1.2", true },
		{ "128.0.0.1", "128.0.0.1", false },
		{ "0.0.0.127", "0.0.0.127", false },
		{ "::1", "::1", true },
		{ "::2", "::2", false },
		{ "2001:DB8:0::7", "2001:db8::7", false },
		{ "::ffff:192.0.2.1", "192.0.2.1", false },
		{ "::ffff:127.0.0.1", "127.0.0.1", true },
		{ "a socket of another kind", "unknown", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct address a = of(cases[i].given, key);

		assert_string_equal(a.text, cases[i].said);
		assert_int_equal(a.loopback, cases[i].loopback);
	}
}

static void
networks_that_share_a_counter(void **state)
{
	(void)state;
	assert_int_equal(slot("192.0.2.1"), slot("192.0.2.1"));
	assert_int_equal(slot("::ffff:192.0.2.1"), slot("192.0.2.1"));
	assert_int_equal(slot("2001:db8:1:2::1"), slot("2001:db8:1:2:ffff:ffff:ffff:ffff"));
	assert_int_not_equal(slot("2001:db8:1:2::1"), slot("2001:db8:1:3::1"));
	assert_int_not_equal(slot("192.0.2.1"), slot("192.0.2.2"));
	assert_int_not_equal(slot("::ffff:192.0.2.1"), slot("::ffff:192.0.2.2"));
}

/* Nobody who does not know the key can find addresses that share a counter with somebody's. */
static void
key_decides(void **state)
{
	size_t same = 0, moved = 0, n = 20000;
	static uint8_t used[COUNTER_SLOTS];
	size_t slots = 0;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		uint8_t other[16];
		char text[32];

		(void)snprintf(text, sizeof text, "10.%zu.%zu.1", i / 256 % 256, i % 256);
		memcpy(other, key, sizeof other);
		other[i % 16] ^= (uint8_t)(1 << i % 8);
		if (of(text, other).slot == slot(text))
			same++;
		else
			moved++;
		if (used[slot(text)]++ == 0)
			slots++;
	}
	assert_true(same < 20 && moved == n - same);
	/* 20,000 into 65,536 by chance: 17,240 of them are hit */
	assert_true(slots > 16900 && slots < 17600);
}

/* The value that the authors of SipHash-2-4 give for these eight octets and this key. */
static void
hash_is_siphash(void **state)
{
	static const uint8_t vector_key[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
		15 };

	(void)state;
	/* 00 01 ... 07 is the /64 of this; 0x93f5f5799a932462 is its hash */
	assert_int_equal(
	    of("1:203:405:607::", vector_key).slot, 0x93f5f5799a932462 % COUNTER_SLOTS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_log_says),
		cmocka_unit_test(networks_that_share_a_counter),
		cmocka_unit_test(key_decides),
		cmocka_unit_test(hash_is_siphash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
