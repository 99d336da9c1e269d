# SPDX-License-Identifier: LGPL-2.1-or-later
"""A connection of Ansible to a machine that is not there: its programs are those of run, here."""
import os

from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = '''
    name: machine
    short_description: to a machine of tests/rolling/run
    description: to a machine of tests/rolling/run
    extends_documentation_fragment:
        - connection_pipelining
'''


class Connection(Local):
    transport = 'machine'

    def exec_command(self, cmd, in_data=None, sudoable=True):
        host = self._play_context.remote_addr
        os.environ['MACHINE'] = os.path.join(os.environ['MACHINES'], host)
        return super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
