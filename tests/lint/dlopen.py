#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""All libraries that are loaded late stand in the ELF notes by which packagers learn of them:
https://uapi-group.org/specifications/specs/elf_dlopen_metadata/

    dlopen.py SOURCE ELF...
"""
import glob
import json
import re
import struct
import subprocess
import sys
import tempfile

source, *files = sys.argv[1:]
faults = []
loaded = set()
for name in glob.glob(source + '/pkram/*.c'):
    text = open(name).read()
    loaded.update(re.findall(r'^LIBRARY\(\w+, "([^"]+)"', text, re.M))
    if re.search(r'\bdlopen\(', text):
        faults.append(f'{name}: loads a library without the macro of library.h')
if not loaded:
    faults.append('no library is loaded')


def section_of(name):
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(['objcopy', '-O', 'binary', '--only-section=.note.dlopen', name, out.name], check=True)
        return out.read()


def notes(section):
    """Owner, type and text of each; what does not add up is an error."""
    while section:
        owner, text, kind = struct.unpack_from('=III', section)
        at = 12 + (owner + 3 & ~3)
        yield section[12:12 + owner], kind, section[at:at + text]
        section = section[at + (text + 3 & ~3):]


for name in files:
    headers = subprocess.run(['readelf', '-SW', name], check=True, capture_output=True, text=True).stdout
    if not re.search(r' \.note\.dlopen +NOTE .* A  ', headers):
        faults.append(f'{name}: no notes that are loaded')
        continue
    told = set()
    for owner, kind, text in notes(section_of(name)):
        if owner != b'FDO\0' or kind != 0x407c0c0a or text[-1:] != b'\0':
            faults.append(f'{name}: a note of {owner}, {kind:#x}: {text}')
            continue
        for entry in json.loads(text[:-1]):
            told.update(entry['soname'])
            if not entry['feature'] or not entry['description'] or \
               entry['priority'] not in ('required', 'recommended', 'suggested'):
                faults.append(f'{name}: {entry}')
    if told != loaded:
        faults.append(f'{name}: tells of {sorted(told)}, not {sorted(loaded)}')

for fault in faults:
    print(fault)
sys.exit(bool(faults))
