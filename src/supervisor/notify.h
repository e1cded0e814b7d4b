/*
 * notify - tells the service manager how it goes (sd_notify(3)), when one asked for it.
 */
#ifndef SUPERVISOR_NOTIFY_H
#define SUPERVISOR_NOTIFY_H

/* Sends "READY=1" or the like to $NOTIFY_SOCKET; nothing without one. */
void notify_send(const char *text);

#endif
