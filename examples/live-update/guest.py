# SPDX-License-Identifier: LGPL-2.1-or-later
"""One guest of live-update: its QEMU, the monitor of that, and what `pkram` keeps of it."""
import contextlib
import difflib
import json
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time

MIB = 1 << 20
INCOMING = ['-incoming', 'defer']
# What QEMU calls a guest that can be paused and carried, and a migration that has not ended.
CARRIED = {'running', 'paused', 'prelaunch'}
UNDER_WAY = {'setup', 'active', 'pre-switchover', 'device', 'cancelling'}
# What a configuration must not have: QEMU stays a child with its log, and comes up as it is told.
TAKEN = {'-daemonize', '-incoming', '-loadvm', '-snapshot'}


class Failure(Exception):
    """What went wrong and what to do about it, in one line."""


def complain(text):
    print(f'live-update: {text}', file=sys.stderr, flush=True)


def say(text):
    print(text, flush=True)


def one_line(text):
    return '; '.join(line.strip().removeprefix('pkram: ') for line in text.splitlines() if line.strip())


def file_system(path):
    found = subprocess.run(['stat', '-f', '-c', '%T', path], capture_output=True, text=True)
    return found.stdout.strip() or 'nothing'


def boot_id():
    return pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()


def read_record(path):
    """What `examine` has found, checked as far as it is relied on."""
    try:
        record = json.loads(path.read_text())
        sound = (all(isinstance(word, str) for word in record['words']) and isinstance(record['running'], bool)
                 and isinstance(record['boot'], str)
                 and all(file['path'].startswith('/') and isinstance(file['fs'], str) for file in record['ram']))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        sound = False
    if not sound:
        raise Failure(f"{path} is no record of live-update; 'live-update start --cold' does without it")
    return record


def difference(was, now):
    for what, i, j, k, m in difflib.SequenceMatcher(None, was, now, False).get_opcodes():
        if what != 'equal':
            return (f"it was started with '{shlex.join(was[i:j])}' where the configuration has "
                    f"'{shlex.join(now[k:m])}'; put that back")
    return 'put that back'


class Pkram:
    """The command, on one region, given by the same words to all who start it."""

    def __init__(self, region):
        program = shutil.which('pkram')
        if not program:
            raise Failure('pkram is not on the PATH; install it')
        region = region or os.environ.get('PKRAM_REGION')
        self.words = [program] + (['-r', region] if region else [])

    def run(self, *words):
        done = subprocess.run([*self.words, *words], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, start_new_session=True)
        if done.returncode:
            raise Failure(one_line(done.stderr) or f'pkram {words[0]} ended with {done.returncode}')
        return done.stdout

    def list(self):
        """The region, and its nodes by name."""
        listed = json.loads(self.run('ls', '--json'))
        return listed['region'], {node['name']: node for node in listed['nodes'] if 'name' in node}

    def remove(self, names):
        there = sorted(set(names) & set(self.list()[1]))
        if there:
            self.run('rm', '-q', '--', *there)


class Qmp:
    """QEMU's monitor: commands in turn, events passed over."""

    def __init__(self, path, seconds):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(seconds)
        self.lines = None
        try:
            self.socket.connect(str(path))
            peer = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize('3i'))
            self.pid = struct.unpack('3i', peer)[0]
            self.lines = self.socket.makefile('rb')
            self.read()
            self.ask('qmp_capabilities')
        except BaseException:
            self.close()
            raise

    def close(self):
        # QEMU serves one at a time, and the descriptor lives until the file over it is closed, too.
        self.socket.close()
        if self.lines:
            self.lines.close()

    def read(self):
        try:
            line = self.lines.readline()
        except TimeoutError:
            raise Failure('QEMU does not answer; is something else on its QMP socket?') from None
        except OSError as error:
            raise Failure(f'QEMU: {error.strerror}') from None
        if not line:
            raise Failure('QEMU ended')
        return json.loads(line)

    def ask(self, command, **arguments):
        try:
            self.socket.sendall(json.dumps({'execute': command, 'arguments': arguments}).encode() + b'\n')
        except OSError:
            raise Failure('QEMU ended') from None
        while True:
            answer = self.read()
            if 'error' in answer:
                raise Failure(f"QEMU: {command}: {answer['error']['desc']}")
            if 'return' in answer:
                return answer['return']

    def status(self):
        return self.ask('query-status')['status']

    def ignore_shared(self):
        self.ask('migrate-set-capabilities', capabilities=[{'capability': 'x-ignore-shared', 'state': True}])


class Guest:
    def __init__(self, config, host):
        self.name = config.stem
        self.host = host
        if not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9._-]{0,63}', self.name):
            raise Failure(f'{config}: a guest has 1 to 64 letters, digits, dots, dashes for a name')
        try:
            self.words = shlex.split(config.read_text(), comments=True)
        except (OSError, ValueError) as error:
            raise Failure(f'{config}: {error}') from None
        if not self.words:
            raise Failure(f'{config}: no command line of QEMU in it')
        for word in self.words:
            if word.replace('--', '-', 1) in TAKEN:
                raise Failure(f"{config}: take '{word}' out; live-update says itself how QEMU comes up")
        # A record is there from the pause of a guest until it goes on.
        self.record = host.run_dir / f'{self.name}.json'
        self.socket = self.record.with_suffix('.qmp')
        self.log = self.record.with_suffix('.log')
        self.errors = self.record.with_suffix('.err')
        self.code = self.record.with_suffix('.code')
        self.state = f'{self.name}.state'
        self.added = ['-qmp', f'unix:{self.socket},server=on,wait=off']

    def nodes(self, record):
        """All that the container may have of it, first what makes it whole."""
        return [str(self.record), self.state, *(file['path'] for file in record['ram'])]

    @contextlib.contextmanager
    def monitor(self):
        """Its QEMU's, or None when it does not run."""
        qmp = None
        try:
            qmp = Qmp(self.socket, self.host.timeout)
        except (FileNotFoundError, ConnectionRefusedError):
            pass
        except OSError as error:
            raise Failure(f'{self.socket}: {error.strerror}') from None
        try:
            yield qmp
        finally:
            if qmp:
                qmp.close()

    def runs(self):
        with self.monitor() as qmp:
            return qmp is not None

    def look(self):
        held = ', held by a save' if self.record.exists() else ''
        with self.monitor() as qmp:
            if not qmp:
                return 'saved' if held else 'off'
            return f'{qmp.status()} (pid {qmp.pid}){held}'

    def launch(self, *more):
        """Up to where its monitor answers. It outlives this program; what it says goes to its log."""
        end = time.monotonic() + self.host.timeout
        try:
            with open(self.log, 'wb') as log:
                process = subprocess.Popen([*self.words, *self.added, *more], cwd='/', start_new_session=True,
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        except OSError as error:
            raise Failure(f'{self.words[0]}: {error.strerror}') from None
        while not self.runs():
            if process.poll() is not None:
                raise Failure(f'QEMU did not start: {self.last_words()}')
            try:
                self.host.pause(end, f'QEMU does not answer on {self.socket}')
            except Failure:
                process.kill()
                raise

    def last_words(self):
        lines = self.log.read_text(errors='replace').splitlines() if self.log.exists() else []
        return lines[-1] if lines else 'it said nothing'

    def start(self):
        self.record.unlink(missing_ok=True)
        self.launch()
        say(f'{self.name}: started')

    # ---- the way out

    def examine(self):
        """Look at a guest that runs; what is found is its record. Changes nothing."""
        if self.record.exists():
            raise Failure(f"was left by a save that did not end; 'live-update resume {self.name}' first")
        with self.monitor() as qmp:
            if not qmp:
                raise Failure(f"does not run; 'live-update start {self.name}' starts it")
            self.same_words(qmp.pid)
            status = qmp.status()
            if status not in CARRIED:
                raise Failure(f"QEMU calls it '{status}': mend that first, or shut it down")
            migration = qmp.ask('query-migrate')
            if migration.get('blocked-reasons'):
                raise Failure(f"QEMU cannot carry it: {migration['blocked-reasons'][0]}")
            if migration.get('status') in UNDER_WAY:
                raise Failure('is being migrated; wait for the end of that')
            return {'words': self.words, 'running': status == 'running', 'boot': boot_id(),
                    'ram': self.ram(qmp)}

    def same_words(self, pid):
        """It must be started again as it was: the file must say what it runs with."""
        running = pathlib.Path(f'/proc/{pid}/cmdline').read_bytes().decode(errors='surrogateescape')
        running = running.split('\0')[:-1]
        if running[-2:] == INCOMING:
            del running[-2:]
        # What stands before QEMU (nice, numactl, systemd-run --scope) is gone by now.
        own = [*self.words, *self.added][-len(running):]
        if own != running or len(running) <= len(self.added):
            raise Failure(f'runs with other arguments than its configuration has: {difference(running, own)}')

    def ram(self, qmp):
        """Its RAM files; all of its RAM has to be in them."""
        files = {}
        for item in qmp.ask('qom-list', path='/objects'):
            if item['type'] != 'child<memory-backend-file>':
                continue
            path, shared, size = (qmp.ask('qom-get', path=f"/objects/{item['name']}", property=name)
                                  for name in ('mem-path', 'share', 'size'))
            if shared:
                path = os.path.realpath(path)
                files[path] = self.ram_file(path, size)
        has = qmp.ask('query-memory-size-summary')
        rest = has['base-memory'] + has.get('plugged-memory', 0) - sum(f['size'] for f in files.values())
        if rest > 0:
            raise Failure(f'{rest // MIB} MiB of its RAM lie in no shared file; give it '
                          '-object memory-backend-file,share=on,... and -machine memory-backend=...')
        return list(files.values())

    @staticmethod
    def ram_file(path, size):
        try:
            found = os.stat(path)
        except OSError as error:
            raise Failure(f'{path}: {error.strerror}') from None
        if not stat.S_ISREG(found.st_mode) or found.st_size < size:
            raise Failure(f"{path}: no file of {size} bytes; let mem-path= name a file of the guest's own")
        kind = file_system(path)
        if kind not in ('tmpfs', 'hugetlbfs'):
            raise Failure(f'{path} lies on {kind}; RAM that is carried lies on tmpfs or hugetlbfs')
        return {'path': path, 'size': size, 'fs': kind, 'used': found.st_blocks * 512}

    def freeze(self, record):
        """Pause it and save the state of its devices. Its QEMU stays, paused."""
        begin = time.monotonic()
        self.record.write_text(json.dumps(record))
        with self.monitor() as qmp:
            if not qmp:
                raise Failure('QEMU ended')
            qmp.ask('stop')
            qmp.ignore_shared()
            self.stream(qmp, 'migrate', 'put')
        say(f'{self.name}: paused, its state saved in {time.monotonic() - begin:.2f} s')

    def stream(self, qmp, command, verb):
        """The state through `pkram put` or `pkram get`."""
        for file in self.errors, self.code:
            file.unlink(missing_ok=True)
        pkram = shlex.join([*self.host.pkram.words, verb, self.state])
        qmp.ask(command, uri=f'exec:{pkram} 2>{shlex.quote(str(self.errors))}; '
                             f'echo $? >{shlex.quote(str(self.code))}')
        end = time.monotonic() + self.host.timeout
        late = f'{command} takes more than {self.host.timeout:g} s; --timeout allows more'
        trouble = ''
        try:
            while True:
                migration = qmp.ask('query-migrate')
                if migration.get('status') in ('completed', 'failed', 'cancelled'):
                    break
                self.host.pause(end, late)
            if migration['status'] != 'completed':
                trouble = f"QEMU: {command}: {migration.get('error-desc', migration['status'])}"
        except Failure as failure:
            trouble = f'{failure}: {self.last_words()}' if str(failure) == 'QEMU ended' else str(failure)
        # QEMU's end of the stream is not yet that of pkram, and only with that it is saved, or was sound.
        while not trouble and not self.ended():
            self.host.pause(end, late)
        if self.ended() not in ('', '0'):
            trouble = one_line(self.errors.read_text()) or f'pkram {verb} {self.state} was killed'
        if trouble:
            raise Failure(trouble)

    def ended(self):
        """The exit code of the pkram that QEMU has started, once there is one."""
        return self.code.read_text().strip() if self.code.exists() else ''

    def quit(self):
        """The end of its QEMU, waited for: until then the RAM may change, and cannot be saved."""
        with self.monitor() as qmp:
            if qmp:
                self.end(qmp)

    def end(self, qmp):
        """The guest is paused and saved, or not there yet: force does no harm."""
        try:
            process = os.pidfd_open(qmp.pid)
        except ProcessLookupError:
            return
        try:
            # While it answers, that number is its own.
            answers = False
            with contextlib.suppress(Failure):
                answers = bool(qmp.status())
                qmp.ask('quit')
            if not select.select([process], [], [], self.host.timeout)[0] and answers:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                select.select([process], [], [])
        finally:
            os.close(process)

    # ---- the way back

    def room(self, record):
        """Whether `restore` can put its RAM where it was."""
        self.same_config(record)
        for file in record['ram']:
            directory = os.path.dirname(file['path'])
            kind = file_system(directory)
            if kind != file['fs']:
                raise Failure(f"{directory} was {file['fs']} and is {kind} now; mount {file['fs']} there")
            if os.path.exists(file['path']):
                raise Failure(f"{file['path']} is there already; remove it, the region has what was saved")

    def same_config(self, record):
        if record['words'] != self.words:
            raise Failure('its configuration is not the one it was saved with: '
                          + difference(record['words'], self.words))

    def resume(self):
        """From whatever `save` or `restore` have left: it goes on."""
        begin = time.monotonic()
        record = read_record(self.record)
        if not self.runs():
            self.same_config(record)
            for file in record['ram']:
                if not os.path.exists(file['path']):
                    raise Failure(f"its RAM {file['path']} is gone; 'rm {self.record}', then 'live-update "
                                  "restore' where the region has it")
            self.launch(*INCOMING)
        with self.monitor() as qmp:
            if not qmp:
                raise Failure(f'QEMU ended: {self.last_words()}')
            if qmp.status() == 'inmigrate':
                self.take_in(qmp)
            else:
                self.wake(qmp)
            # Once it runs, what is saved is older than the guest, and must never be served again.
            self.forget(self.nodes(record)[:1])
            if record['running']:
                qmp.ask('cont')
        self.record.unlink()
        say(f"{self.name}: {'goes on' if record['running'] else 'is back, paused as it was'}, "
            f'after {time.monotonic() - begin:.2f} s')
        # What came by a jump is useless without its record, stale after the next jump, and named in `pkram
        # report` while it is there. What this kernel has saved would be fresh once more.
        if record['boot'] == boot_id():
            self.forget(self.nodes(record)[1:])

    def take_in(self, qmp):
        try:
            qmp.ignore_shared()
            self.stream(qmp, 'migrate-incoming', 'get')
        except BaseException:
            self.end(qmp)
            raise

    def wake(self, qmp):
        """One that has not quit: whatever it was at, it ends."""
        end = time.monotonic() + self.host.timeout
        while qmp.ask('query-migrate').get('status') in UNDER_WAY:
            qmp.ask('migrate_cancel')
            self.host.pause(end, f"QEMU does not give the migration up; 'live-update resume {self.name}'")

    def forget(self, names):
        try:
            self.host.pkram.remove(names)
        except Failure as failure:
            complain(f"{self.name}: {failure}; the guest goes on, and what was saved of it is old: before the "
                     f"next jump, 'pkram rm {shlex.join(names)}'")
