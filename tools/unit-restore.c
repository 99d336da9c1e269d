/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "copy.h"
#include "report.h"
#include "unit.h"

static void names_free_p(void *p)
{
	free(*(void **)p);
}

struct choice {
	const char **names;	/* to be restored */
	size_t n;
	bool done;	/* something was restored in this boot already */
	bool hidden;	/* and is not there any more */
	bool homeless;	/* something is no mount of its own */
};

static bool is_mount_point(const char *path)
{
	struct statx stx;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &stx) == 0 &&
	       stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
}

static void choose_done(const struct unit *u, const char *root, const char *path,
			struct choice *c)
{
	c->done = true;
	if (root || !u->early || is_mount_point(path)) {
		say_info("%s: was restored in this boot already", path);
		return;
	}
	say_error("%s: was restored in this boot already, and nothing is mounted there now: "
		  "another mount hides it, or somebody has unmounted it", path);
	c->hidden = true;
}

/* The nodes of the unit's paths that are to be restored; the others are told of. */
static void choose(const struct unit *u, const char *root, const struct pkram_node_list *list,
		   struct choice *c)
{
	for (size_t i = 0; i < u->paths.n; i++) {
		const struct pkram_node *node = pkram_node_list_find(list, u->paths.v[i]);

		if (!node) {
			say_info("%s: nothing is saved", u->paths.v[i]);
		} else if (node->damaged) {
			/* What that is, and that all of a set is lost with it, the restore says. */
			c->names[c->n++] = u->paths.v[i];
		} else if (node->restored) {
			choose_done(u, root, node->name, c);
		} else if (node->freshness == PKRAM_FRESH_STALE) {
			say_info("%s: was saved for an earlier boot, and is not restored: the "
				 "machine has not come here by 'pkram kexec'", node->name);
		} else if (node->freshness == PKRAM_FRESH_JUMPED) {
			c->names[c->n++] = node->name;
			c->homeless |= node->single || !*node->mount_options ||
				       strcmp(node->fs_type, "tmpfs") != 0;
		} else {
			say_info("%s: was saved in this boot, and did not come by a jump",
				 node->name);
		}
	}
}

static int restore_chosen(struct cmd *cmd, const struct unit *u, const char *root,
			  struct pkram_region *region, const struct choice *c)
{
	struct pkram_restore_options opt = {
		.struct_size = sizeof(opt),
		.flags = PKRAM_RESTORE_ONCE | (u->mount ? PKRAM_RESTORE_MOUNT : 0),
		.mount_options = u->mount_options,
		.to = root,
	};
	int r;

	/* Without one, it would be written into the root filesystem. */
	if (root && c->homeless) {
		say_info("%s: early = yes is for paths that are a tmpfs of their own: its service "
			 "restores it", u->name);
		return EXIT_NOTHING;
	}
	r = copy_restore(cmd, region, c->names, c->n, &opt);
	if (r < 0)
		say_error(root ? "%s: not restored early: pkram@%s.service tries it again" :
				 "%s: its service starts without what was saved",
			  u->name, u->name);
	return exit_code(r);
}

int unit_restore(struct cmd *cmd, const struct unit *u, const char *root)
{
	_cleanup_(names_free_p) const char **names = calloc(u->paths.n, sizeof(*names));
	_cleanup_region_ struct pkram_region *region = NULL;
	_cleanup_node_list_ struct pkram_node_list *list = NULL;
	struct choice c = { .names = names };
	int r = names ? unit_open_region(cmd, u, &region) : -ENOMEM;

	if (r == 0)
		r = pkram_node_list_new(region, &list);
	if (r < 0)
		return r == -ENODATA ? EXIT_NOTHING : exit_code(r);
	choose(u, root, list, &c);
	if (c.n)
		return restore_chosen(cmd, u, root, region, &c);
	if (c.hidden)
		return EXIT_FAILED;
	return c.done ? EXIT_DONE : EXIT_NOTHING;
}
