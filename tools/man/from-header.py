#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Make manual pages of the comments in the public headers, so that there is one text of each.

    from-header.py --list HEADER                the pages, a line each
    from-header.py --write SCDOC DIR HEADER     write them, by scdoc

Of pkram.h: libpkram.3, and a page for each paragraph of functions, with links for all but its first one.
Of pkram-format.h: pkram-format.5, in the order of the header.
"""
import pathlib
import re
import subprocess
import sys
import textwrap

SPDX = '; SPDX-License-Identifier: LGPL-2.1-or-later'
FUNCTION = re.compile(r'\b(pkram_[a-z0-9_]+)\(')


# --- reading ---

def comment_lines(text):
    """The lines of a comment without its frame."""
    text = re.sub(r'^/\*+|\*/$', '', text.strip())
    lines = [re.sub(r'^\s*\* ?', '', line).rstrip() if i else line.strip()
             for i, line in enumerate(text.split('\n'))]
    while lines and not lines[0]:
        lines.pop(0)
    while lines and not lines[-1]:
        lines.pop()
    return lines


def pieces(source):
    """Comments that begin a line, and the code between them: ('comment' or 'code', text)."""
    at = 0
    for m in re.finditer(r'^/\*.*?\*/[ \t]*$', source, re.M | re.S):
        if source[at:m.start()].strip():
            yield 'code', source[at:m.start()]
        yield 'comment', m[0]
        at = m.end()
    if source[at:].strip():
        yield 'code', source[at:]


def paragraphs(source):
    """Lists of pieces that no blank line parts."""
    out, inside = [[]], False
    for line in source.split('\n'):
        depth = line.count('/*') - line.count('*/')
        brace = line.count('{') - line.count('}')
        if not line.strip() and not inside:
            out.append([])
            continue
        out[-1].append(line)
        inside = inside + depth + brace
    return [list(pieces('\n'.join(p))) for p in out if p]


class Group:
    """Functions of one paragraph, each as (comment lines, declaration, names)."""

    def __init__(self, section):
        self.section = section
        self.items = []

    def names(self):
        return [n for _, _, names in self.items for n in names]

    def code(self):
        return '\n'.join(code for _, code, _ in self.items)


class Header:
    def __init__(self, path):
        self.name = pathlib.Path(path).name
        source = pathlib.Path(path).read_text()
        start = source.index('/*', source.index('*/'))
        self.opening = comment_lines(source[start:source.index('*/', start) + 2])
        body = re.sub(r'^#(if|ifdef|endif|include|ifndef|pragma).*\n|^extern "C" \{\n|^\}\n', '',
                      source[source.index('*/', start) + 2:], flags=re.M)
        self.body = re.sub(r'^#define PKRAM(_FORMAT)?_H\n', '', body, flags=re.M)
        self.groups = []
        self.types = {}
        self.read()

    def read(self):
        section, before = '', None
        for paragraph in paragraphs(self.body):
            if len(paragraph) == 1 and paragraph[0][0] == 'comment':
                text = comment_lines(paragraph[0][1])
                title = re.match(r'--- (.*?) -*$', text[0])
                section = title[1] if title else section
                continue
            group, comment = Group(section), []
            for kind, text in paragraph:
                if kind == 'comment':
                    comment = comment_lines(text)
                    continue
                m = re.match(r'\s*(struct|enum) (pkram_\w+) \{', text)
                t = re.match(r'\s*typedef .*\(\*(pkram_\w+)\)', text)
                if m:
                    self.types[f'{m[1]} {m[2]}'] = (comment, text.strip('\n'))
                elif t:
                    self.types[t[1]] = (comment, text.strip('\n'))
                elif FUNCTION.search(text):
                    group.items.append((comment, text.strip('\n'), FUNCTION.findall(text)))
                comment = []
            if group.items:
                self.groups.append(group)

    def types_of(self, group):
        """What the functions take and give, and what that is made of."""
        found, texts = [], [group.code() + '\n' + '\n'.join('\n'.join(c) for c, _, _ in group.items)]
        while texts:
            text = texts.pop()
            for name, (comment, code) in self.types.items():
                if name not in found and re.search(rf'\b{name}\b', text):
                    found.append(name)
                    texts.append(code + '\n' + '\n'.join(comment))
        return [n for n in self.types if n in found]


# --- writing ---

def escape(text):
    text = re.sub(r'([\\*_`])', r'\\\1', text)
    return re.sub(r'^([^\w\\ ])', r'\\\1', text)


def code_block(text):
    return '```\n' + textwrap.dedent(text.strip('\n')).expandtabs(8).replace('\\', '\\\\') + '\n```\n'


def bold_names(text):
    return re.sub(r'@(\w+(?:\\_\w+)*)', r'_\1_', text)


def text_block(lines):
    """Comment text as scdoc: paragraphs, @parameters, tables, and, told apart, the errors."""
    out, errors = [], []
    for chunk in re.split(r'\n{2,}', '\n'.join(lines).strip('\n')):
        rows = chunk.split('\n')
        while rows:
            if rows[0].startswith(('\t', '  ')):
                n = next((i for i, r in enumerate(rows) if not r.startswith(('\t', '  '))), len(rows))
                out.append(code_block('\n'.join(rows[:n])))
            elif rows[0].startswith('@'):
                n = next((i for i, r in enumerate(rows) if i and not r.startswith(('\t', '  '))), len(rows))
                names, _, rest = ' '.join(r.strip() for r in rows[:n]).partition(':')
                # scdoc has no word for a nested list: one name list, then its words.
                out.append(', '.join(f'_{escape(x.strip()[1:])}_' for x in names.split(',')) + '\n\t' +
                           bold_names(escape(rest.strip())) + '\n')
            elif rows[0].startswith('-E'):
                n = len(rows)
                for e in re.split(r';\s+(?=-E)', ' '.join(rows)):
                    errors.append(e)
            else:
                n = next((i for i, r in enumerate(rows) if i and (r.startswith(('\t', '  ', '@', '-E')))),
                         len(rows))
                out.append(bold_names(escape(' '.join(rows[:n]))) + '\n')
            rows = rows[n:]
    return '\n'.join(out), errors


def error_block(errors):
    out = []
    for e in errors:
        names, colon, rest = e.partition(':')
        if not colon:
            names, rest = e.rstrip('.'), 'see *libpkram*(3).'
        else:
            rest = bold_names(escape(rest.strip()))
        out.append(f'*{escape(names.strip())}*\n\t{rest}\n')
    return '\n'.join(out)


def type_text(name, comment, code):
    lines = list(comment)
    if lines and lines[0].startswith(name + ' - '):
        lines[0] = lines[0][len(name) + 3:]
        lines[0] = lines[0][0].upper() + lines[0][1:] + '.'
        lines.insert(1, '')
    elif lines == [name]:
        lines = []
    elif lines and lines[0] == name:
        lines = lines[1:]
    words, errors = text_block(lines)
    return f'## {escape(name)}\n\n{code_block(code)}\n{words}\n' + (error_block(errors) if errors else '')


def summary(header, group):
    """The first sentence of the first comment, or what the first structure is."""
    lines = ' '.join(group.items[0][0])
    if not lines:
        of = [header.types[t][0][0].split(' - ')[-1] for t in header.types_of(group) if header.types[t][0]]
        lines = of[0] if of else group.section
    lines = re.sub(r'\s*\([^)]*\)', '', re.sub(r'\s+', ' ', lines)).replace('@', '')
    lines = re.split(r'[.:;](?: |$)', lines)[0]
    return lines[0].lower() + lines[1:]


def function_page(header, group):
    names = group.names()
    parts, errors = [], []
    for comment, code, own in group.items:
        words, more = text_block(comment)
        if words.strip() and len(group.items) > 1:
            parts.append('\n\n'.join(f'*{escape(n)}*()' for n in own) + '\n\n' + words)
        elif words.strip():
            parts.append(words)
        errors += more
    types = header.types_of(group)
    page = [f'{names[0]}(3)', '', SPDX, '', '# NAME', '',
            ', '.join(escape(n) for n in names) + ' - ' + escape(summary(header, group)), '',
            '# SYNOPSIS', '', code_block('#include <pkram.h>\n\n' + group.code()), '']
    if ''.join(parts).strip():
        page += ['# DESCRIPTION', '', '\n'.join(parts)]
    else:
        page += ['# DESCRIPTION', '', 'See the structures below.', '']
    if errors:
        page += ['# ERRORS', '', error_block(errors)]
    if types:
        page += ['# TYPES', ''] + [type_text(t, *header.types[t]) for t in types]
    near = [g.names()[0] for g in header.groups if g.section == group.section and g is not group]
    page += ['# SEE ALSO', '', ', '.join(['*libpkram*(3)'] + [f'*{escape(n)}*(3)' for n in near]), '']
    return '\n'.join(page)


def library_page(header):
    title = header.opening[0].split(' - ')[1]
    words, _ = text_block(header.opening[1:])
    page = ['libpkram(3)', '', SPDX, '', '# NAME', '', f'libpkram - {title}', '', '# SYNOPSIS', '',
            code_block('#include <pkram.h>\n\ncc ... $(pkg-config --cflags --libs libpkram)'), '',
            '# DESCRIPTION', '', words, '', '# FUNCTIONS', '']
    section = None
    for group in header.groups:
        if group.section != section:
            section = group.section
            page += [f'## {section.capitalize()}', '']
        page += [', '.join(f'*{escape(n)}*(3)' for n in group.names()), f'\t{escape(summary(header, group))}', '']
    page += ['# SEE ALSO', '', '*pkram*(7), *pkram*(8), *pkram-format*(5)', '']
    return '\n'.join(page)


def format_page(header):
    page = ['pkram-format(5)', '', SPDX, '', '# NAME', '',
            'pkram-format - the container in a region', '', '# SYNOPSIS', '',
            code_block('#include <pkram-format.h>'), '', '# DESCRIPTION', '',
            text_block(header.opening)[0]]
    comment = None
    for kind, text in pieces(header.body):
        if kind == 'comment':
            comment = comment_lines(text)
            continue
        # What the compiler checks is of no use to readers.
        text = re.sub(r'^static_assert\(.*?\);\n', '', text, flags=re.M | re.S)
        if not text.strip():
            continue
        m = re.match(r'\s*(struct|enum) (pkram_\w+) \{', text)
        body, rest = text, ''
        if m and '\n};' in text:
            body, rest = text.split('\n};', 1)
            body += '\n};'
        if m:
            page.append(type_text(f'{m[1]} {m[2]}', comment or [], body))
        else:
            page += [text_block(comment)[0] if comment else '', code_block(body)]
        if rest.strip():
            page.append(code_block(rest))
        comment = None
    page += ['# SEE ALSO', '', '*pkram*(7), *libpkram*(3)', '']
    return '\n'.join(page)


def pages(header):
    """Name and text of each; a text that is another page's name is a link."""
    if header.name == 'pkram-format.h':
        yield 'pkram-format.5', format_page(header)
        return
    yield 'libpkram.3', library_page(header)
    for group in header.groups:
        first, *others = group.names()
        yield first + '.3', function_page(header, group)
        for name in others:
            yield name + '.3', '.so man3/' + first + '.3\n'


def main(argv):
    if argv[:1] == ['--list'] and len(argv) == 2:
        for name, _ in pages(Header(argv[1])):
            print(name)
        return 0
    if argv[:1] != ['--write'] or len(argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    _, scdoc, directory, header = argv
    for name, text in pages(Header(header)):
        if not text.startswith('.so '):
            done = subprocess.run([scdoc], input=text, stdout=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                print(f'{name}: scdoc does not take this:\n{text}', file=sys.stderr)
                return 1
            text = done.stdout
        (pathlib.Path(directory) / name).write_text(text)
    return 0


sys.exit(main(sys.argv[1:]))
