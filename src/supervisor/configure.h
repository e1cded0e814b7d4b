/*
 * configure - turns the settings into what each kind of child is told.
 *
 * Runs in: supervisor.  Pure but for the look-up of users and groups by name.
 */
#ifndef SUPERVISOR_CONFIGURE_H
#define SUPERVISOR_CONFIGURE_H

#include <stdbool.h>
#include <stdint.h>

#include "ipc/setup.h"

struct fault;
struct settings;

/* Users and groups of the settings, as numbers. */
struct ids {
	bool root; /* we can become anybody */
	uint32_t login_uid, login_gid; /* both 0: stay what we are */
	uint32_t auth_uid, auth_gid;
	uint32_t mail_uid, mail_gid; /* UINT32_MAX: none */
};

int configure_ids(const struct settings *s, struct ids *ret, struct fault *f);

void configure_login(const struct settings *s, const struct ids *ids, struct login_setup *ret);
void configure_auth(const struct settings *s, const struct ids *ids, struct auth_setup *ret);
void configure_pam(const struct settings *s, struct pam_setup *ret);
void configure_maildrop(
    const struct settings *s, const struct want_maildrop *want, struct maildrop_setup *ret);

/* The mechanisms as one line; the log settings as numbers. */
void configure_log(const struct settings *s, struct log_setup *ret);

#endif
