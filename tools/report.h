/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes to stderr: messages, the progress line, the summary of a copy; and signals, which end a
 * copy between two of its steps.
 */
#pragma once

#include "verb.h"

/* Connects the context's callbacks; -q and -v decide what is shown. */
void report_connect(struct cmd *cmd);

/* A message of the command itself, in the form of the library's. */
void say_error(const char *fmt, ...) _printf_(1, 2);
/* Not with -q. */
void say_info(const char *fmt, ...) _printf_(1, 2);

/* Between these two, messages wait. They are shown at the end, or have never been. */
void messages_hold(void);
void messages_release(bool show);

/* Between these two, the progress line is drawn. */
void progress_begin(void);
void progress_end(void);
/* Nanoseconds since progress_begin. */
uint64_t progress_ns(void);

/*
 * From here on SIGINT, SIGTERM and SIGHUP cancel the library's call, which cleans up, instead of
 * ending the process; the second one ends it. With `fd` >= 0, reads of it meet an end of file then,
 * so that no caller waits for input that no longer matters.
 */
void catch_signals(int fd);
bool interrupted(void);
/* From here on what ends the process says so: memory that is mapped and cannot be read. */
void catch_bus_errors(void);

/* The exit code of a library call's result; says why, should nobody have done so. */
int exit_code(int r);

/**
 * struct summary - what a copy did
 * @did: "saved"
 * @name: the node, where it is one stream; else NULL and @nodes counts
 */
struct summary {
	const char *did;
	const char *name;
	uint64_t nodes;
	uint64_t files;
	uint64_t bytes;
	uint64_t ns;
	const uint64_t *damaged;	/* nodes; NULL: not counted */
	const uint64_t *small_pages;	/* NULL: not counted */
	unsigned int threads;	/* 0: not counted */
	bool trees;		/* files are counted */
};

/* One line on stderr, or with --json an object on stdout. */
void print_summary(const struct cmd *cmd, const struct summary *s);
