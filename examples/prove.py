# SPDX-License-Identifier: LGPL-2.1-or-later
"""Proves that a service is warm.

  prove load DIR >NOTE    gives the files below DIR to the service, and notes what they are
  prove check NOTE        asks for them again: how many come back, and are they the same?

A note is what sha256sum(1) writes. `check` prints the note of what it was given, so that whoever kept a
hash of the first note can compare. It ends with 0 when all came back as they were, else with 1.
"""

import argparse
import hashlib
import pathlib
import re
import sys
import time

PLAIN = re.compile(r'[A-Za-z0-9._/+-]{1,200}')
LARGEST = 512 << 10
PATIENCE = 60


class Failure(Exception):
    pass


class Service:
    """What a service's own `prove` says of it."""

    name = ''
    port = 0
    # A file that a start uses up: the next one could take it for what the service has now.
    once = ''

    def connect(self):
        """To `port` of this machine; fails with ConnectionError as long as nobody answers."""
        raise NotImplementedError

    def put(self, items):
        raise NotImplementedError

    def get(self, keys):
        """What is there of these, by its key."""
        raise NotImplementedError

    def examine(self):
        """Beyond the items; a Failure says what is wrong."""
        if self.once and pathlib.Path(self.once).exists():
            raise Failure(f'{self.once} is still there')


def say(service, text):
    print(f'{service.name}: {text}', file=sys.stderr)


def connect(service):
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return service.connect()
        except ConnectionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def read_files(directory, room):
    """Files whose names any service takes for a key."""
    items = {}
    for path in sorted(directory.rglob('*')):
        key = str(path.relative_to(directory))
        if not PLAIN.fullmatch(key) or path.is_symlink() or not path.is_file():
            continue
        if 0 < path.stat().st_size <= min(LARGEST, room):
            items[key] = path.read_bytes()
            room -= len(items[key])
    if not items:
        raise Failure(f'{directory}: no file there that could be loaded')
    return items


def digests(items):
    return {key: hashlib.sha256(value).hexdigest() for key, value in items.items()}


def print_note(note):
    for key, digest in note.items():
        print(f'{digest}  {key}')


def read_note(file):
    note = {}
    for line in file.read_text().splitlines():
        digest, _, key = line.partition('  ')
        note[key] = digest
    if not note:
        raise Failure(f'{file}: empty; `load` writes a note')
    return note


def mib(items):
    return f'{sum(map(len, items.values())) / (1 << 20):.1f} MiB'


def load(service, options):
    items = read_files(options.dir, options.mib << 20)
    service.put(items)
    if service.get(items) != items:
        raise Failure('it does not keep what it is given')
    print_note(digests(items))
    say(service, f'{len(items)} items, {mib(items)}')


def check(service, options):
    note = read_note(options.note)
    items = service.get(note)
    now = digests(items)
    print_note({key: now[key] for key in note if key in now})
    same = sum(now.get(key) == digest for key, digest in note.items())
    say(service, f'{len(now)} of {len(note)} hits, {mib(items)}, {len(now) - same} of them not what was loaded')
    if same < len(note):
        sys.exit(1)
    service.examine()


def main(service):
    parser = argparse.ArgumentParser(prog='prove', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--port', type=int, default=service.port, help='where it listens (%(default)s)')
    verbs = parser.add_subparsers(required=True, metavar='load|check')
    verb = verbs.add_parser('load')
    verb.add_argument('dir', type=pathlib.Path, metavar='DIR')
    verb.add_argument('--mib', type=int, default=16, help='as much as that at most (%(default)s)')
    verb.set_defaults(run=load)
    verb = verbs.add_parser('check')
    verb.add_argument('note', type=pathlib.Path, metavar='NOTE')
    verb.set_defaults(run=check)
    options = parser.parse_args()
    service.port = options.port
    try:
        connect(service)
        options.run(service, options)
    except (Failure, OSError) as failure:
        say(service, failure)
        sys.exit(1)
