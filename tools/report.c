/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes to stderr, and signals.
 *
 * The process runs one verb, and a signal handler has no argument: so there is one reporter, here.
 */
#include "report.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/param.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "text.h"

#define NS_PER_S UINT64_C(1000000000)
#define QUIET_NS NS_PER_S		/* shorter work shows no progress */
#define REDRAW_NS (NS_PER_S / 10)

static struct {
	bool quiet;
	bool explained;		/* a warning or an error was printed */
	FILE *held;		/* where messages wait; NULL: they do not */
	char *held_text;
	size_t held_size;
	bool draws;		/* there is somebody to see the progress line */
	bool drawn;		/* it stands on the terminal */
	uint64_t start;
	uint64_t next_draw;
	const char *what;	/* of the phase that is drawn, NULL: of none */
	bool files;		/* it counts them */
	uint64_t total, base;	/* of what it counts: at its end, when it began */
	uint64_t phase;		/* when that was */
	pthread_t main_thread;
	int end_fd;
	int null_fd;
} reporter = { .end_fd = -1, .null_fd = -1 };

static atomic_int got_signal;
static uint64_t signalled_at;	/* on the clock of now_ns(); by the main thread alone */

/* timeout(1) tells a process and then its group: that is one signal. */
#define SAME_SIGNAL_NS NS_PER_S

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void erase_progress(void)
{
	if (reporter.drawn)
		fputs("\r\033[K", stderr);
	reporter.drawn = false;
}

static void print_message(int priority, const char *msg, void (*put)(FILE *f, const char *s))
{
	FILE *f = reporter.held ? reporter.held : stderr;

	erase_progress();
	fputs(priority == PKRAM_LOG_WARNING ? "pkram: warning: " : "pkram: ", f);
	put(f, msg);
	fputc('\n', f);
	if (priority <= PKRAM_LOG_WARNING)
		reporter.explained = true;
}

void messages_hold(void)
{
	/* Without memory, they do not wait. */
	reporter.held = open_memstream(&reporter.held_text, &reporter.held_size);
}

void messages_release(bool show)
{
	if (!reporter.held)
		return;
	fclose(reporter.held);
	reporter.held = NULL;
	if (show)
		fwrite(reporter.held_text, 1, reporter.held_size, stderr);
	else
		reporter.explained = false;
	free(reporter.held_text);
}

static void on_log(void *userdata, int priority, const char *msg)
{
	(void)userdata;
	print_message(priority, msg, put_printable);
}

static void say(int priority, const char *fmt, va_list ap)
{
	char *msg;

	if (vasprintf(&msg, fmt, ap) < 0)
		msg = NULL;
	print_message(priority, msg ? msg : "out of memory", put_escaped);
	free(msg);
}

void say_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(PKRAM_LOG_ERROR, fmt, ap);
	va_end(ap);
}

void say_info(const char *fmt, ...)
{
	va_list ap;

	if (reporter.quiet)
		return;
	va_start(ap, fmt);
	say(PKRAM_LOG_INFO, fmt, ap);
	va_end(ap);
}

/* What counts, as of the moment from which its rate is. */
static bool same_phase(const struct pkram_progress *p, uint64_t now)
{
	bool files = p->files;

	if (reporter.what && strcmp(reporter.what, p->what) == 0 && reporter.files == files &&
	    reporter.total == (files ? p->total_files : p->total))
		return true;
	reporter.what = p->what;
	reporter.files = files;
	reporter.total = files ? p->total_files : p->total;
	reporter.phase = now;
	reporter.base = files ? p->files : p->done;
	return false;
}

static void print_left(FILE *f, uint64_t done, uint64_t total, uint64_t spent)
{
	double each;

	if (done <= reporter.base)
		return;
	each = (double)spent / 1e9 / (double)(done - reporter.base);
	fprintf(f, ", %.0f s left", each * (double)(total - MIN(done, total)));
}

static void print_files(FILE *f, const struct pkram_progress *p, uint64_t spent)
{
	char size[TEXT_MAX];
	double rate = spent ? (double)(p->files - MIN(p->files, reporter.base)) / (spent / 1e9) : 0;

	fprintf(f, "%s: %ju", p->what, (uintmax_t)p->files);
	if (p->total_files)
		fprintf(f, " of %ju", (uintmax_t)p->total_files);
	fprintf(f, " files, %.0f/s", rate);
	if (p->done)
		fprintf(f, ", %s", human_size(size, p->done, false));
	if (p->total_files)
		print_left(f, p->files, p->total_files, spent);
}

static void print_bytes(FILE *f, const struct pkram_progress *p, uint64_t spent)
{
	char size[TEXT_MAX], rate[TEXT_MAX];

	fprintf(f, "%s: %s", p->what, human_size(size, p->done, false));
	if (p->total)
		fprintf(f, " of %s", human_size(size, p->total, false));
	fprintf(f, ", %s", human_rate(rate, p->done - MIN(p->done, reporter.base), spent));
	if (p->total)
		print_left(f, p->done, p->total, spent);
}

/* A line that is wider than the terminal would not be erased. */
static size_t line_room(void)
{
	struct winsize w;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col - 1u : 79;
}

static void draw_progress(const struct pkram_progress *p, uint64_t spent)
{
	char line[256] = "";
	FILE *f = fmemopen(line, sizeof(line), "w");

	if (!f)
		return;
	if (p->files)
		print_files(f, p, spent);
	else
		print_bytes(f, p, spent);
	fclose(f);
	fprintf(stderr, "\r\033[K%.*s", (int)MIN(line_room(), sizeof(line) - 1), line);
	fflush(stderr);
	reporter.drawn = true;
}

static int on_progress(void *userdata, const struct pkram_progress *p)
{
	uint64_t now;

	(void)userdata;
	if (got_signal)
		return -ECANCELED;
	if (!reporter.draws)
		return 0;
	now = now_ns();
	/* Of a phase that has just begun no rate can be told. */
	if (!same_phase(p, now) || now < reporter.next_draw || now < reporter.phase + REDRAW_NS)
		return 0;
	reporter.next_draw = now + REDRAW_NS;
	draw_progress(p, now - reporter.phase);
	return 0;
}

/* A terminal that can erase a line. */
static bool can_draw(void)
{
	const char *term = getenv("TERM");

	return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

void progress_begin(void)
{
	reporter.start = now_ns();
	reporter.next_draw = reporter.start + QUIET_NS;
	reporter.draws = !reporter.quiet && can_draw();
	reporter.what = NULL;
}

void progress_end(void)
{
	erase_progress();
	fflush(stderr);
	reporter.draws = false;
}

uint64_t progress_ns(void)
{
	return now_ns() - reporter.start;
}

void report_connect(struct cmd *cmd)
{
	int priority = PKRAM_LOG_INFO;

	if (cmd->quiet)
		priority = PKRAM_LOG_WARNING;
	else if (cmd->verbose)
		priority = PKRAM_LOG_DEBUG;
	reporter.quiet = cmd->quiet;
	pkram_set_log_fn(cmd->ctx, on_log, NULL, priority);
	pkram_set_progress_fn(cmd->ctx, on_progress, NULL);
}

/* Only what signal-safety(7) allows. */
static void on_signal(int sig)
{
	int saved = errno;

	/* The reader must be the one whose read is interrupted. */
	if (!pthread_equal(pthread_self(), reporter.main_thread)) {
		pthread_kill(reporter.main_thread, sig);
		errno = saved;
		return;
	}
	if (!got_signal) {
		signalled_at = now_ns();
	} else if (now_ns() - signalled_at > SAME_SIGNAL_NS) {
		/* Whoever says it again means it: it is delivered behind this handler. */
		signal(sig, SIG_DFL);
		raise(sig);
	}
	got_signal = sig;
	if (reporter.end_fd >= 0)
		dup2(reporter.null_fd, reporter.end_fd);
	errno = saved;
}

static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

void catch_signals(int fd)
{
	struct sigaction sa = { .sa_handler = on_signal }, old;

	reporter.main_thread = pthread_self();
	if (fd >= 0) {
		reporter.null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (reporter.null_fd >= 0)
			reporter.end_fd = fd;
	}
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		/* What the caller ignores (nohup, background jobs) stays ignored. */
		if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
}

/* Only what signal-safety(7) allows. */
static void on_bus_error(int sig, siginfo_t *info, void *context)
{
	static const char memory[] =
		"pkram: the memory has an error where a region or a large file lies (SIGBUS; the "
		"kernel's log says where): what is saved stays as it is; of a devdax region more "
		"can be read once 'pkram region convert' has made it raw\n";
	static const char cut[] =
		"pkram: a region or a file was cut while it was mapped (SIGBUS): what is saved "
		"stays as it is; try again with the whole of it\n";
	bool error = info->si_code == BUS_MCEERR_AR || info->si_code == BUS_MCEERR_AO;

	(void)sig;
	(void)context;
	if (reporter.drawn)
		(void)!write(STDERR_FILENO, "\r\033[K", 4);
	(void)!write(STDERR_FILENO, error ? memory : cut,
		     (error ? sizeof(memory) : sizeof(cut)) - 1);
	_exit(error ? EXIT_DAMAGED : EXIT_FAILED);
}

void catch_bus_errors(void)
{
	struct sigaction sa = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

	sigemptyset(&sa.sa_mask);
	sigaction(SIGBUS, &sa, NULL);
}

bool interrupted(void)
{
	return got_signal != 0;
}

int exit_code(int r)
{
	if (r >= 0)
		return EXIT_DONE;
	if (r == -ECANCELED && interrupted())
		say_error("interrupted; what was not finished is dropped");
	else if (!reporter.explained)
		say_error("%s", strerror(-r));
	switch (r) {
	case -EBADMSG:
		return EXIT_DAMAGED;
	case -ESTALE:
		return EXIT_NOTHING;
	default:
		return EXIT_FAILED;
	}
}

static void summary_json(const struct cmd *cmd, const struct summary *s)
{
	struct json j = { .f = stdout };

	json_begin(&j, NULL, '{');
	json_string(&j, "verb", cmd->verb->name);
	if (s->name)
		json_string(&j, "name", s->name);
	json_number(&j, "nodes", s->nodes);
	if (s->damaged)
		json_number(&j, "damaged", *s->damaged);
	if (s->trees)
		json_number(&j, "files", s->files);
	json_number(&j, "bytes", s->bytes);
	json_seconds(&j, "seconds", s->ns);
	json_rate(&j, "gb_per_s", s->bytes, s->ns);
	if (s->threads)
		json_number(&j, "threads", s->threads);
	if (s->small_pages)
		json_number(&j, "small_page_bytes", *s->small_pages);
	json_end(&j, '}');
}

void print_summary(const struct cmd *cmd, const struct summary *s)
{
	char size[TEXT_MAX], rate[TEXT_MAX], files[TEXT_MAX] = "", nodes[TEXT_MAX] = "";

	if (cmd->json) {
		summary_json(cmd, s);
		return;
	}
	human_size(size, s->bytes, false);
	human_rate(rate, s->bytes, s->ns);
	if (s->trees)
		snprintf(files, sizeof(files), "%ju file%s, ", (uintmax_t)s->files,
			 plural(s->files));
	if (!s->name)
		snprintf(nodes, sizeof(nodes), "%ju node%s", (uintmax_t)s->nodes,
			 plural(s->nodes));
	say_info("%s %s: %s%s in %ju.%02ju s, %s", s->did, s->name ? s->name : nodes, files, size,
		 (uintmax_t)(s->ns / NS_PER_S), (uintmax_t)(s->ns % NS_PER_S / 10000000), rate);
}
