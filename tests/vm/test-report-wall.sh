# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034
# The same where the counter is not to be trusted: by two wall clocks, one of whole seconds.

# shellcheck source=tests/vm/test-report.sh
. "$(dirname "${BASH_SOURCE[0]}")/test-report.sh"
cpu=-invtsc
when=all
CLOCK=wall
SLACK=2000
