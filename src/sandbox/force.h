/*
 * force - the text that says which restrictions are in force, for the log.  Not thread-safe: a
 * sandbox is entered before there are threads.
 */
#ifndef SANDBOX_FORCE_H
#define SANDBOX_FORCE_H

void force_add(const char *what);

#endif
