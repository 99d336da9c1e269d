#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The playbook is sound YAML; it goes host by host, in its order, and stops at the first failure; the
commands in it are ones that pkram takes.

    playbook.py PLAYBOOK PKRAM
"""
import re
import subprocess
import sys

import yaml

playbook, pkram = sys.argv[1:]
plays = yaml.safe_load(open(playbook))
faults = []


def flat(tasks):
    for task in tasks:
        yield task
        for part in ('block', 'rescue', 'always'):
            yield from flat(task.get(part, []))


play, = plays
for key, value in {'serial': 1, 'any_errors_fatal': True, 'max_fail_percentage': 0}.items():
    if play.get(key) != value:
        faults.append(f'{key} is {play.get(key)}')
tasks = list(flat(play['tasks']))
words = []
for task in tasks:
    if 'name' not in task:
        faults.append(f'a task without a name: {task}')
    if 'ignore_errors' in task:
        faults.append(f'{task["name"]}: goes on after an error')
    command = task.get('ansible.builtin.command')
    if 'ansible.builtin.reboot' in task:
        command = task['ansible.builtin.reboot']['reboot_command']
    if command is None:
        continue
    text = command if isinstance(command, str) else ' '.join(re.findall(r"'([^']*)'", command['argv']))
    if 'pkram' in text.split():
        words.append(text.split()[text.split().index('pkram') + 1:])
forward = [w[0] + (' --load-only' if '--load-only' in w else '') for w in words if '--cancel' not in w]
expected = ['check', 'save', 'kexec --load-only', 'kexec', '--json', 'restore', 'verify', 'report']
if forward != expected:
    faults.append(f'the order is {forward}')
for w in words:
    if w[0].startswith('-'):
        continue
    text = subprocess.run([pkram, w[0], '--help'], stdout=subprocess.PIPE, text=True, check=False).stdout
    for option in w[1:]:
        if option.startswith('--') and not re.search(rf'{option}\b', text):
            faults.append(f'pkram {w[0]} has no {option}')
for fault in faults:
    print(fault)
sys.exit(bool(faults))
